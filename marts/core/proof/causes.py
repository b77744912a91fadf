"""What differs between two canonical forms of a mart, and where its author wrote it."""

from __future__ import annotations

import inspect
import linecache
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import SequenceMatcher, unified_diff
from types import CodeType, FunctionType
from typing import Any

from marts.core import PACKAGE
from marts.core.authoring.signature import function_of, location_of
from marts.core.authoring.tables import Mart, Source
from marts.core.plan.proofs import Canonical
from marts.core.project.graph import Graph

TOKEN = re.compile(r"[A-Za-z_]\w*|\d+(?:\.\d+)?|<>|[<>=!]+|\S")
"""A word, a number or a sign of SQL."""
PYTHON = re.compile(r"[A-Za-z_]\w*|\d[\d_]*(?:\.\d+)?")
"""A name or a number of Python."""
BESIDE = 6
"""So many tokens before and behind a change are beside it."""
MOST_LINES = 3
LONGEST_DIFF = 20
"""How many lines of a difference a message has."""


def difference(before: Canonical, now: Canonical, dialect: str) -> list[str]:
    """Return the difference of a mart's SQL in a dialect, as lines of a short unified diff."""
    for case, text in now.sql[dialect].items():
        old = before.sql.get(dialect, {}).get(case, "")
        lines = unified_diff(old.splitlines(), text.splitlines(), "proven", "now", n=1, lineterm="")
        if found := list(lines):
            more = len(found) - LONGEST_DIFF
            return [*found[:LONGEST_DIFF], *([f"… {more} lines more"] if more > 0 else [])]
    return []


def causes(
    name: str,
    before: Canonical,
    now: Canonical,
    graph: Graph,
    *,
    forms: Callable[[str, str], tuple[Canonical | None, Canonical]],
) -> Iterator[str]:
    """Yield a line for each thing that differs, with its file and line where these can be told.

    `forms` returns the canonical form of a mart that had a digest, None if it is not known any
    more, and the present one.
    """
    mart = graph.project.marts[name]
    yield from _of_contract(f"mart {name}", mart, before.contract, now.contract)
    for check in _differing(before.checks, now.checks):
        yield f"check {check} of {name} differs: {mart.location}"
    for each in _differing(before.sources, now.sources):
        source = graph.project.sources.get(each)
        if source and each in before.sources:
            old, new = before.sources[each], now.sources.get(each, {})
            yield from _of_source(source, old, new)
    for each in _differing(before.marts, now.marts):
        if each in before.marts and each in now.marts:
            old_form, new_form = forms(each, before.marts[each])
            inner = list(causes(each, old_form, new_form, graph, forms=forms)) if old_form else []
            yield from inner or [f"{each}, which it reads, differs: {_place(each, graph)}"]
    for engine in _differing(before.parameters, now.parameters):
        yield f"parameters of sessions on {engine} differ: {_listed(before, now, engine)}"
    yield from _of_sql(mart, before, now)


def _of_contract(
    what: str, table: Source | Mart, before: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[str]:
    columns = {column.name: column for column in table.columns}
    old, new = ({each["name"]: each for each in found["columns"]} for found in (before, now))
    for name in _differing(old, new):
        place = columns[name].location if name in columns else table.location
        if name in old and name in new:
            parts = _differing(old[name], new[name])
            words = ", ".join(f"{p} {old[name].get(p)} → {new[name].get(p)}" for p in parts)
        else:
            words = "is new" if name in new else "is gone"
        yield f"{what}: column {name}: {words}: {place or table.location}"
    for part in _differing(before, now):
        if part not in ("columns", "checks"):
            yield f"{what}: {part} {before.get(part)} → {now.get(part)}: {table.location}"


def _of_source(source: Source, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    what = f"source {source.name}"
    yield from _of_contract(what, source, before, now)
    for check in _differing(before["checks"], now["checks"]):
        yield f"{what}: check {check} differs: {source.location}"


def _of_sql(mart: Mart, before: Canonical, now: Canonical) -> Iterator[str]:
    """Yield the author's lines that have words which are new in the SQL, the likeliest first.

    A word of SQL need not be one of Python: AVG is a mean there. Then the words beside it must do.
    What is gone, no line has.
    """
    new, near = _changed_words(before, now)
    if not difference(before, now, next(iter(now.sql))):
        return
    telling, others = dict[str, int](), dict[str, int]()
    for function in _functions(mart):
        for place, text in (*_lines_of(function), *_constants_of(function)):
            words = _words_of_python(text)
            lines = telling if words & new else others
            lines[f"{place}: {text.strip()}"] = len(words & near)
    found = telling or {line: n for line, n in others.items() if n == max(others.values())}
    best = sorted(found, key=lambda line: -found[line])
    is_known = bool(near) and (telling or 0 < len(found) <= MOST_LINES)
    yield from best[:MOST_LINES] if is_known else [f"mart {mart.name}: {mart.location}"]


def _changed_words(before: Canonical, now: Canonical) -> tuple[set[str], set[str]]:
    """Return the words that are new in the SQL, and these with those beside what changed."""
    new, near = set[str](), set[str]()
    for dialect, texts in now.sql.items():
        old_text = before.sql.get(dialect, {}).get("", "")
        old, tokens = TOKEN.findall(old_text), TOKEN.findall(texts[""])
        for kind, _, _, start, end in SequenceMatcher(None, old, tokens, False).get_opcodes():
            if kind != "equal" and start < end:
                new |= set(map(str.lower, tokens[start:end]))
                near |= set(map(str.lower, tokens[max(start - BESIDE, 0) : end + BESIDE]))
    return _of_the_author(new), _of_the_author(near)


def _of_the_author(tokens: Iterable[str]) -> set[str]:
    """Return the words among tokens, without the names that Ibis gives to relations."""
    return {each for each in tokens if re.fullmatch(r"\w+(\.\d+)?", each) and not _is_alias(each)}


def _is_alias(word: str) -> bool:
    return re.fullmatch(r"t\d+", word) is not None


def _words_of_python(text: str) -> set[str]:
    """Return the names and numbers in a line, and the parts of names: LEFT is in left_join."""
    names = {word.replace("_", "") if word[0].isdigit() else word for word in PYTHON.findall(text)}
    return {part.lower() for name in names for part in (name, *name.split("_")) if part}


def _functions(mart: Mart) -> Iterator[FunctionType]:
    """Yield a mart's function, and those of its package that it calls."""
    first = function_of(mart.define)
    waiting, met = [first] if first else [], set[FunctionType]()
    while waiting:
        function = waiting.pop(0)
        met.add(function)
        yield function
        values = (function.__globals__.get(name) for name in _names(function.__code__))
        own = first.__module__.partition(".")[0] if first else ""
        waiting += [
            each
            for each in values
            if isinstance(each, FunctionType)
            and each not in met
            and each.__module__.partition(".")[0] == own
            and not each.__module__.startswith(f"{PACKAGE}.")
        ]


def _names(code: CodeType) -> Iterator[str]:
    """Yield the names that a function's code looks up outside it, and those of attributes."""
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _names(each)


def _lines_of(function: FunctionType) -> Iterator[tuple[str, str]]:
    """Yield the lines of a function's body, each with its place."""
    try:
        lines, first = inspect.getsourcelines(function)
    except (OSError, TypeError):
        return
    is_body = False
    for number, text in enumerate(lines, first):
        is_body = is_body or text.lstrip().startswith("def ")
        if is_body and not text.lstrip().startswith("#"):
            yield location_of(function.__code__.co_filename, number), text


def _constants_of(function: FunctionType) -> Iterator[tuple[str, str]]:
    """Yield the lines that define the values which a function looks up in its module."""
    names, file = set(_names(function.__code__)), function.__code__.co_filename
    for number, text in enumerate(linecache.getlines(file), 1):
        found = re.match(r"([A-Za-z_]\w*)\b[^=(]*=(?!=)", text)
        if found and found[1] in names:
            yield location_of(file, number), text


def _place(name: str, graph: Graph) -> str:
    return graph.project.marts[name].location if name in graph.project.marts else "not a mart"


def _listed(before: Canonical, now: Canonical, engine: str) -> str:
    old, new = before.parameters.get(engine, {}), now.parameters.get(engine, {})
    return ", ".join(f"{name} {old.get(name)} → {new.get(name)}" for name in _differing(old, new))


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterable[str]:
    """Return the keys of two mappings whose values differ, or that one lacks."""
    return sorted(k for k in before.keys() | now.keys() if before.get(k) != now.get(k))
