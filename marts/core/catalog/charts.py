"""Distributions as charts: Vega-Lite draws them as SVG, in the colours of the page's style."""

from __future__ import annotations

from typing import Any

import vl_convert
from markupsafe import Markup

from marts.core.catalog.pages import Distribution
from marts.core.catalog.texts import number

WIDTH, HEIGHT, STEP = 230, 120, 20
LONGEST_LABEL = 150
CONFIG = {
    "background": None,
    "padding": {"left": 16, "right": 4, "top": 4, "bottom": 4},
    "view": {"stroke": None},
    "axis": {"domain": False, "ticks": False, "grid": False, "labelFontSize": 11, "title": None},
}


def chart(distribution: Distribution) -> Markup:
    """Return the SVG of a distribution: a bar for each label, or a histogram."""
    is_labelled = distribution.kind in ("labels", "amounts")
    spec = (_labels if is_labelled else _histogram)(distribution)
    values = [
        {"bar": n, "rows": bar.size, "text": number(bar.size)}
        for n, bar in enumerate(distribution.bars)
    ]
    # The bars have numbers, so that two with one label are two, and not one of their sum.
    labels = [bar.label or "(empty)" for bar in distribution.bars]
    spec |= {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "params": [{"name": "labels", "value": labels}],
        "width": WIDTH,
        "config": CONFIG,
    }
    # Vega escapes labels; the page hides the image from screen readers, which have the table.
    return Markup(vl_convert.vegalite_to_svg(spec))  # noqa: S704


def _labels(_distribution: Distribution) -> dict[str, Any]:
    axis = {"labelExpr": "labels[datum.value]", "labelLimit": LONGEST_LABEL, "labelPadding": 6}
    bar = {"field": "bar", "type": "ordinal", "axis": axis}
    rows = {"field": "rows", "type": "quantitative", "axis": None, "scale": {"zero": True}}
    number = {"type": "text", "align": "left", "dx": 5, "fontSize": 11}
    return {
        "height": {"step": STEP},
        "encoding": {"y": bar, "x": rows},
        "layer": [
            {"mark": {"type": "bar", "height": {"band": 0.7}}},
            {"mark": number, "encoding": {"text": {"field": "text"}}},
        ],
    }


def _histogram(distribution: Distribution) -> dict[str, Any]:
    axis = {
        "labelExpr": "labels[datum.value]",
        "labelAngle": -40 if len(distribution.bars) > 2 else 0,
        "labelOverlap": True,
        "labelLimit": 90,
    }
    rows_axis = {"tickCount": 3, "tickMinStep": 1, "format": ",d", "grid": True}
    return {
        "height": HEIGHT,
        "mark": {"type": "bar", "width": {"band": 0.92}},
        "encoding": {
            "x": {"field": "bar", "type": "ordinal", "axis": axis},
            "y": {"field": "rows", "type": "quantitative", "axis": rows_axis},
        },
    }
