"""What `marts explain` says of constructs of all kinds: the steps, the conditions, the inputs."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest

from support.processes import call_marts, one_document

SOURCES = """
from marts import *

visits = source(
    "visits",
    doc="Visits.",
    grain="id",
    columns=[
        int64("id"),
        string("shop", null=True),
        timestamp("at"),
        decimal("amount", 10, 2),
        int64("qty", null=True),
    ],
)
shops = source(
    "shops", doc="Shops.", grain="shop", columns=[string("shop"), int64("size", null=True)]
)
"""
DATA = {
    "visits.csv": "id,shop,at,amount,qty\n1,a,2025-01-01T13:00:00,10.50,1\n"
    "2,a,2025-01-02T23:00:00,20.00,\n3,a,2025-01-02T23:00:00,5.00,3\n"
    "4,b'c,2025-02-03T11:00:00,40.00,4\n5,,2025-02-03T11:00:00,1.00,9\n",
    "shops.csv": "shop,size\na,10\nb'c,20\nd,\n",
}
MARTS = {
    "dropped": """
@mart(grain="shop", columns=[string("shop"), int64("n"), money("total"), string("label")])
def dropped(visits: Table) -> Table:
    \'\'\'One.\'\'\'
    t = visits.filter(visits.shop.notnull()).group_by("shop")
    t = t.aggregate(n=_.count(), total=_.amount.sum(), extra=_.qty.sum()).drop("extra")
    return t.mutate(label=ibis.cases((t.total >= 50, "big"), (t.n > 1, "many"), else_="few"))
""",
    "moments": """
@mart(grain="id", columns=[int64("id"), string("label"), int64("half", null=True), boolean("due")])
def moments(visits: Table, as_of: AsOf) -> Table:
    \'\'\'One.\'\'\'
    noon = ibis.timestamp("2025-01-01 12:00:00")
    late = ibis.timestamp("2025-01-02 10:00:00")
    return visits.select(
        "id",
        label=ibis.cases((visits.at >= late, "late"), (visits.at > noon, "mid"), else_="early"),
        half=visits.qty // 2,
        due=visits.at < as_of.plus(days=1).cast("timestamp"),
    )
""",
    "defaults": """
@mart(grain="shop", columns=[string("shop"), int64("n", default=0), string("label")])
def defaults(visits: Table, shops: Table) -> Table:
    \'\'\'One.\'\'\'
    t = visits.group_by("shop").aggregate(n=visits.count())
    t = shops.left_join(t, "shop").select("shop", "n")
    return t.mutate(label=ibis.cases((t.n > 1, "many"), else_="few"))
""",
    "filled": """
@mart(grain="shop", columns=[string("shop"), int64("q"), string("label")])
def filled(visits: Table, shops: Table) -> Table:
    \'\'\'One.\'\'\'
    t = visits.group_by("shop").aggregate(q=visits.qty.sum())
    t = shops.left_join(t, "shop").select("shop", "q").fill_null({"q": -1})
    return t.mutate(label=ibis.cases((t.q < 0, "none"), else_="some"))
""",
    "either": """
@mart(grain=("which", "k"), columns=[
    string("which"), string("k"), int64("v", null=True), string("label"), int64("rank")])
def either(visits: Table, shops: Table) -> Table:
    \'\'\'One.\'\'\'
    a = visits.filter(visits.shop.notnull()).group_by(k="shop").aggregate(v=_.qty.sum())
    a = a.mutate(which=ibis.literal("visits"), label=ibis.literal("-"))
    b = shops.select(k="shop", v="size", which=ibis.literal("shops"))
    b = b.mutate(label=ibis.cases((b.v > 10, "large"), else_="small"))
    ranked = [
        t.mutate(rank=ibis.row_number().over(order_by=[by(t), t.k])).select(
            "which", "k", "v", "label", "rank"
        )
        for t, by in ((a, lambda t: t.k), (b, lambda t: t.v.desc()))
    ]
    return ranked[0].union(ranked[1])
""",
    "days": """
@mart(grain="day", columns=[date("day"), date("month"), int64("n")])
def days(visits: Table) -> Table:
    \'\'\'One.\'\'\'
    t = visits.group_by(day=visits.at.truncate("day")).aggregate(n=visits.count())
    return t.mutate(month=t.day.truncate("month"))
""",
    "moved": """
@mart(grain="at", columns=[timestamp("at"), int64("n"), money("total")])
def moved(visits: Table) -> Table:
    \'\'\'One.\'\'\'
    return visits.group_by("at").aggregate(n=visits.count(), total=visits.amount.sum())
""",
    "pairs": """
@mart(grain="id", columns=[int64("id"), string("label")])
def pairs(visits: Table) -> Table:
    \'\'\'One.\'\'\'
    other = visits.view()
    t = visits.left_join(other, other.id == visits.id + 2, rname="{name}_next")
    return t.select("id", label=ibis.cases((t.qty_next > t.qty, "more"), else_="less"))
""",
}
AS_OF = ("--as-of", "2025-02-28")
call = partial(call_marts, MARTS_PACKAGE="kiosk")


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the marts are published."""
    folder = tmp_path_factory.mktemp("kiosk")
    head = "import ibis\nfrom ibis import _\nfrom marts import *\n"
    files = {
        "pyproject.toml": '[tool.marts]\npackage = "kiosk"\ndata = "data"\n',
        "kiosk/__init__.py": "",
        "kiosk/sources.py": SOURCES,
        **{f"kiosk/{name}.py": head + text for name, text in MARTS.items()},
        **{f"data/{name}": text for name, text in DATA.items()},
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    done = call("run", *AS_OF, cwd=folder)
    assert done.returncode == 0, done.stderr + done.stdout
    return folder


SAID: dict[tuple[str, ...], str] = {
    ("dropped.label", "a"): """
      no    total >= 50: big
                total = 35.50, 14.50 below 50
    → yes   n > 1: many
                n = 3, 2 above 1
            few

    computed from
      dropped
        total  35.50  = sum of amount where shop is not null, per shop
        n      3      = number of rows where shop is not null, per shop
      visits
        amount  of 3 rows
""",
    ("moments.label", "2"): """
    → yes   at >= '2025-01-02 10:00:00': late
                at = 2025-01-02 23:00:00, 13:00:00 after 2025-01-02 10:00:00
            at > '2025-01-01 12:00:00': mid
                at = 2025-01-02 23:00:00, 1 day, 11:00:00 after 2025-01-01 12:00:00
            early
""",
    ("moments.due", "1"): """
      yes   at < as_of + 1 day
                at = 2025-01-01 13:00:00, 58 days, 11:00:00 before 2025-03-01 00:00:00
""",
    ("moments.half", "4"): """
    definition  floor(qty / 2)

    computed from
      visits
        qty  4
""",
    ("defaults.label", "d"): """
      no    n > 1: many
                n = 0, 1 below 1
    → else  few

    computed from
      defaults
        n  null  = number of rows, per shop of visits; null without a match; 0 in the column n
""",
    ("filled.label", "d"): """
    → yes   q < 0: none
                q = -1, 1 below 0
""",
    ("either.label", "which=shops", "k=b'c"): """
    → yes   v > 10: large
                v = 20, 10 above 10
            small

    computed from
      shops
        size  20

    rows behind it
      shops  1 row
""",
    ("either.v", "which=visits", "k=a"): """
    computed from
      visits
        qty  of 3 rows

    rows behind it
      visits  3 rows
""",
    ("either.rank", "which=shops", "k=d"): """
    not traced  either computes row number from 0 in order of v descending, k: it
""",
    ("days.month", "2025-02-03"): """
    computed from
      days
        day  2025-02-03  = at truncated to the day
      visits
        at  of 2 rows
""",
    ("moved.at", "2025-02-03T11:00:00"): """
    computed from
      visits
        at  2025-02-03 11:00:00

    rows behind it
      visits  2 rows
""",
    ("pairs.label", "1"): """
    computed from
      visits (2)
        qty  3
      visits
        qty  1
""",
    ("dropped.label", "b'c"): """
    rows behind it
      visits  1 row
""",
}


@pytest.mark.parametrize("words", SAID, ids=" ".join)
def test_what_is_said(words: tuple[str, ...], kiosk: Path) -> None:
    column, *keys = words
    done = call("explain", column, *(w for key in keys for w in ("--key", key)), cwd=kiosk)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "recomputed  the same" in done.stdout or "not traced" in done.stdout
    expected = SAID[words].strip("\n").replace("\n    ", "\n").removeprefix("    ")
    assert expected in done.stdout, done.stdout


def test_a_time_between_moments_is_in_seconds(kiosk: Path) -> None:
    document = one_document(
        call("explain", "moments.label", "--key", "2", "--json", cwd=kiosk).stdout
    )
    distances = [one["distance"] for each in document["branches"] for one in each["comparisons"]]
    assert distances == [13 * 3600, 35 * 3600]


@pytest.mark.parametrize(
    ("column", "key", "message"),
    [
        (
            *("moments.half", "9" * 20),
            f"--key {'9' * 20}: id is int64, which has no such value\n  it is from -9223372036854",
        ),
        ("moments.half", "1_0", "--key 1_0: id is int64\nhint: write it as id=42"),
        ("moved.n", "2025-01-01T00:00:00Z", "--key 2025-01-01T00:00:00Z: at is timestamp"),
        ("days.n", "2025-02-30", "--key 2025-02-30: day is date\nhint: write it as day=2025-06-01"),
    ],
)
def test_a_key_that_the_column_cannot_have_is_an_error(
    column: str, key: str, message: str, kiosk: Path
) -> None:
    done = call("explain", column, "--key", key, cwd=kiosk)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {message}")


def test_a_missing_source_is_said_to_be_missing(kiosk: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(kiosk, tmp_path / "kiosk")
    (folder / "data/visits.csv").unlink()
    done = call("explain", "dropped.label", "--key", "a", cwd=folder)
    assert done.returncode == 2
    assert "dropped.label cannot be computed from them" in done.stderr
    assert "source visits: found no such table" in done.stderr


def test_where_a_mart_is_not_published_is_said(kiosk: Path) -> None:
    words = ("explain", "dropped.label", "--key", "a", "--database", "other.duckdb", *AS_OF)
    done = call(*words, cwd=kiosk)
    assert done.returncode == 0, done.stderr
    assert "dropped is not published: " in done.stdout
    assert "other.duckdb, schema gold" in done.stdout
