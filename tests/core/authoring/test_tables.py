"""Declarations: what they hold, and what is refused as they are made, with file and line."""

from __future__ import annotations

import datetime
from pathlib import Path
from textwrap import dedent

import duckdb
import ibis
import pytest

import marts
from core.conftest import Write
from marts import Table, mart, relationship, row_check, source, string, table_check, unique
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart, column_comments
from marts.core.errors import DefinitionError
from marts.core.project.loading import load
from support.paths import REPOSITORY

PRELUDE = """\
from marts import *

KEY = string("key")
"""

# Each is a module; the error names the line that says `here`.
SOURCES = {
    "column x is declared 2 times": """
        s = source("s", doc="S.", grain="key", columns=[KEY, string("x"), int64("x")])  # here
    """,
    "grain kee is not a column; columns: key": """
        s = source("s", doc="S.", grain="kee", columns=[KEY])  # here
    """,
    "grain key is nullable": """
        s = source("s", doc="S.", grain=["key"], columns=[string("key", null=True)])  # here
    """,
    "column n is at least 2 and at most 1": """
        N = int64("n", at_least=2, at_most=1)
        s = source("s", doc="S.", grain="key", columns=[KEY, N])  # here
    """,
    "no columns are declared": """
        s = source("s", doc="S.", grain="key", columns=[])  # here
    """,
    "its source_name is '', which is not a name": """
        s = source("s", doc="S.", grain="key", columns=[KEY], source_name="")  # here
    """,
    "owner is 'a\\nb': name a team, a person or an address on one line": """
        s = source("s", doc="S.", grain="key", columns=[KEY], owner="a\\nb")  # here
    """,
    "column key has a default, which only a mart has": """
        KEY = string("key", default="")
        s = source("s", doc="S.", grain="n", columns=[int64("n"), KEY])  # here
    """,
    "column key has not_personal, which only a mart's computed column has": """
        KEY = string("key", not_personal="a digest")
        s = source("s", doc="S.", grain="key", columns=[KEY])  # here
    """,
    "check kee_unique: no column kee; did you mean key?": """
        s = source("s", doc="S.", grain="key", columns=[KEY], checks=[unique("kee")])  # here
    """,
    "check kee_in_t: no column kee; did you mean key?": """
        checks = [relationship("kee", to="t.key")]
        s = source("s", doc="S.", grain="key", columns=[KEY], checks=checks)  # here
    """,
    "check odd: severity is 'fatal', not error or warn": """
        checks = [row_check("odd", offending=lambda t: t.key == "", severity="fatal")]
        s = source("s", doc="S.", grain="key", columns=[KEY], checks=checks)  # here
    """,
    "check odd: threshold is -1, below 0": """
        checks = [row_check("odd", offending=lambda t: t.key == "", threshold=-1)]
        s = source("s", doc="S.", grain="key", columns=[KEY], checks=checks)  # here
    """,
}

MARTS = {
    "it has no docstring, which becomes the table's comment": """
        @mart(grain="key", columns=[KEY])  # here
        def m(s):
            return s
    """,
    "materialized is 'incremental'; known: table, view, temporary": """
        @mart(grain="key", columns=[KEY], materialized="incremental")  # here
        def m(s):
            "M."
    """,
    "owner is ' ': name a team, a person or an address on one line": """
        @mart(grain="key", columns=[KEY], owner=" ")  # here
        def m(s):
            "M."
    """,
    "column key is declared 2 times": """
        @mart(grain="key", columns=[KEY, KEY])  # here
        def m(s):
            "M."
    """,
    "column key has a source_name, which only a source has": """
        KEY = string("key", source_name="Key")
        @mart(grain="key", columns=[KEY])  # here
        def m(s): "M."; return s
    """,
    "column at names a zone, which only a source has": """
        @mart(grain="key", columns=[KEY, timestamp("at", zone="UTC")])  # here
        def m(s):
            "M."
    """,
    "parameter as_of has a default, so it would not be passed": """
        @mart(grain="key", columns=[KEY])  # here
        def m(s, as_of=None):
            "M."
    """,
    "parameter *tables is not a plain name": """
        @mart(grain="key", columns=[KEY])  # here
        def m(*tables):
            "M."
    """,
    "parameter **tables is not a plain name": """
        @mart(grain="key", columns=[KEY])  # here
        def m(**tables):
            "M."
    """,
    "parameter s is not a plain name": """
        @mart(grain="key", columns=[KEY])  # here
        def m(*, s):
            "M."
    """,
    "parameter this has a default, so it would not be passed": """
        CHECK = table_check("odd", offending=lambda this=1: this)  # here
    """,
}


def refused(write_package: Write, text: str) -> tuple[str, str]:
    """Return the error of a package with one misdeclared module, and the place it should name."""
    module = PRELUDE + dedent(text)
    package = write_package(shop=module)
    with pytest.raises(DefinitionError) as caught:
        load(package)
    line = next(n for n, line in enumerate(module.splitlines(), 1) if line.endswith("# here"))
    return str(caught.value), f"{package}/shop.py:{line}"


@pytest.mark.parametrize("flaw", SOURCES)
def test_a_misdeclared_source_is_refused_with_file_and_line(
    flaw: str, write_package: Write
) -> None:
    message, location = refused(write_package, SOURCES[flaw])
    assert message.splitlines()[0] == "source s is declared wrongly"
    assert f"  {flaw}" in message
    assert message.endswith(location)


@pytest.mark.parametrize("flaw", MARTS)
def test_a_misdeclared_mart_is_refused_with_file_and_line(flaw: str, write_package: Write) -> None:
    message, location = refused(write_package, MARTS[flaw])
    assert message.splitlines()[0] in (
        "mart m is declared wrongly",
        "check odd is declared wrongly",
    )
    assert f"  {flaw}" in message
    assert message.partition("\nhint: ")[0].endswith(location)


def test_labels_of_a_number_are_refused(write_package: Write) -> None:
    message, location = refused(write_package, 'PRICE = money("price", values=["high"])  # here')
    first, line, hint = message.splitlines()
    assert first == "column price takes no values: it is decimal(18, 2)"
    assert line.endswith(location)
    assert hint == (
        "hint: it takes at_least, at_most, default, doc, not_personal, null, personal, source_name,"
        " unique, varies_with"
    )


def test_a_keyword_is_guessed_only_if_the_column_takes_it(write_package: Write) -> None:
    message, _ = refused(write_package, 'NAME = string("name", at_leest=1)  # here')
    assert message.splitlines()[-1].startswith("hint: it takes default, doc, not_personal, null")
    message, _ = refused(write_package, 'AGE = int64("age", at_leest=1)  # here')
    assert message.splitlines()[-1] == "hint: did you mean at_least?"


def test_a_mart_without_a_grain_is_told_what_to_write(write_package: Write) -> None:
    text = '@mart(grain=(), columns=[KEY])  # here\ndef m(s): "M."'
    message, _ = refused(write_package, text)
    assert "no grain is declared" in message
    assert message.splitlines()[-1].startswith("hint: name the columns that identify a row: grain=")


SLIPS = {
    "a uniqueness of no column": """
        s = source("s", doc="S.", grain="key", columns=[KEY], checks=[unique()])  # here
    """,
    "a relationship that names a table without a column": """
        checks = [relationship("key", to="bikes")]
        s = source("s", doc="S.", grain="key", columns=[KEY], checks=checks)  # here
    """,
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_likely_slip_is_refused(slip: str, write_package: Write) -> None:
    message, location = refused(write_package, SLIPS[slip])
    assert message.endswith(location)


def test_one_word_is_a_list_of_one() -> None:
    assert string("kind", values="approved").values == ("approved",)

    @mart(grain="kind", columns=[string("kind")], tags="sales")
    def one_tag(kinds: Table) -> Table:
        """One tag."""
        return kinds

    assert one_tag.tags == ("sales",)


def test_all_flaws_are_told_at_once(write_package: Write) -> None:
    message, _ = refused(
        write_package,
        """
        @mart(grain="kee", columns=[KEY, KEY], checks=[unique("kee")])  # here
        def m(s):
            return s
        """,
    )
    assert len(message.splitlines()) == 6, message


def test_a_place_below_the_current_folder_is_relative(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    bikes = source("bikes", doc="Bikes.", grain="bike", columns=[string("bike")])
    assert bikes.location.startswith("tests/core/authoring/test_tables.py:")
    monkeypatch.chdir(Path(__file__).parent / "..")
    bikes = source("bikes", doc="Bikes.", grain="bike", columns=[string("bike")])
    assert bikes.location.startswith("authoring/test_tables.py:")


# What a declaration holds


def test_a_mart_is_its_functions_name_parameters_and_words() -> None:
    columns = [string("bike", doc="its frame number"), string("shop")]

    @mart(grain=("bike", "shop"), columns=columns, tags=["sales"])
    def bikes_sold(orders: Table, as_of: marts.AsOf, shops: Table) -> Table:
        """Count bikes.

        By shop.
        """
        return orders.filter(as_of.date.notnull()).join(shops, "shop")

    assert isinstance(bikes_sold, Mart)
    assert bikes_sold.name == "bikes_sold"
    assert bikes_sold.comment == "Count bikes.\n\nBy shop."
    assert column_comments(bikes_sold) == {"bike": "its frame number"}
    assert bikes_sold.parameters == ("orders", "as_of", "shops")
    assert bikes_sold.inputs == ("orders", "shops")
    assert bikes_sold.grain == ("bike", "shop")
    assert bikes_sold.materialized == "table"
    assert bikes_sold.tags == ("sales",)


def test_names_of_checks_say_what_they_check() -> None:
    assert unique("month", "model").name == "month_and_model_unique"
    assert relationship("bike", to="bikes.frame").name == "bike_in_bikes"
    assert row_check("odd", offending=lambda t: t.bike == "").name == "odd"


def test_a_table_check_reads_the_tables_its_parameters_name() -> None:
    def offending(this: Table, orders: Table, as_of: marts.AsOf, shops: Table) -> Table:
        return this.filter(as_of.date.notnull()).join(orders, "bike").join(shops, "shop")

    check = table_check("odd", offending=offending)
    assert check.parameters == ("this", "orders", "as_of", "shops")
    assert check.inputs == ("orders", "shops")


def test_as_of_makes_constants() -> None:
    as_of = FixedAsOf(datetime.date(2024, 3, 1))
    days = [as_of.date, as_of.minus(days=1), as_of.plus(days=31)]
    constants = [ibis.to_sql(day, dialect="duckdb") for day in days]
    assert [duckdb.sql(constant).fetchall() for constant in constants] == [
        [(datetime.date(2024, 3, 1),)],
        [(datetime.date(2024, 2, 29),)],
        [(datetime.date(2024, 4, 1),)],
    ]
    assert not any("INTERVAL" in constant or "CURRENT" in constant for constant in constants)


IN_A_DOCSTRING = {
    "source s": """
        DOC = '''S.

        Columns:
            key: the key
        '''
        s = source("s", doc=DOC, grain="key", columns=[KEY])  # here
    """,
    "mart m": """
        @mart(grain="key", columns=[KEY])  # here
        def m(s):
            '''M.

            Columns:
                key: the key
            '''
    """,
}


@pytest.mark.parametrize("what", IN_A_DOCSTRING)
def test_words_for_columns_in_a_docstring_are_refused_with_the_place_for_them(
    what: str, write_package: Write
) -> None:
    message, location = refused(write_package, IN_A_DOCSTRING[what])
    first, flaw, line, hint = message.splitlines()
    assert first == f"{what} is declared wrongly"
    assert flaw == "  its docstring has a section Columns:, where nobody reads it"
    assert line.endswith(location)
    assert hint == 'hint: describe a column where it is declared: string("city", doc="…")'
