"""What an author's function sees is what it saw when it was declared, or it is refused."""

from __future__ import annotations

import sys
from functools import partial
from textwrap import dedent

import pytest

from core.conftest import Write
from marts.core.authoring.signature import TABLE, call, function_of, location_of_function, naming
from marts.core.errors import DefinitionError
from marts.core.project.graph import link
from marts.core.project.loading import load

SOURCES = """
from marts import *
people = source(
    "people", doc="P.", grain="id", columns=[int64("id"), int64("age"), int64("height")]
)
"""
MART = '''
@mart(grain="id", columns=[int64("id"), int64("age"), int64("height")], checks=CHECKS)
def m(people):
    """People."""
    return people
'''


def linked(write_package: Write, text: str) -> None:
    """Link a package whose mart m is made by some code."""
    link(load(write_package(sources=SOURCES, m=f"from marts import *\n{dedent(text)}")))


LAST = {
    "a comprehension": (
        """
        CHECKS = [row_check(n, offending=lambda t: t[n] < 0) for n in ("age", "height")]
        """,
        "check age of m sees n = 'height'; it was 'age' where the check is declared",
        "lambda t, n=n: …",
    ),
    "a loop of the module": (
        """
        CHECKS = []
        for n in ("age", "height"):
            CHECKS.append(row_check(n, offending=lambda t: t[n] < 0))
        """,
        "check age of m sees n = 'height'; it was 'age'",
        "lambda t, n=n: …",
    ),
    "a loop of a function": (
        """
        def checks():
            for n, limit in [("age", 0), ("height", 1)]:
                yield row_check(n, offending=lambda t: t.age < 0, where=lambda t: t.age > limit)
        CHECKS = list(checks())
        """,
        "check age of m sees limit = 1; it was 0",
        "lambda t, limit=limit: …",
    ),
    "a lambda within": (
        """
        CHECKS = [
            row_check(n, offending=lambda t: (lambda: t[n] < 0)()) for n in ("age", "height")
        ]
        """,
        "check age of m sees n = 'height'; it was 'age'",
        "lambda t, n=n: …",
    ),
    "a function that it calls": (
        """
        def bad(t):
            return t[n] < 0
        CHECKS = []
        for n in ("age", "height"):
            CHECKS.append(row_check(n, offending=lambda t: bad(t)))
        """,
        "check age of m sees n = 'height'; it was 'age'",
        "lambda t, n=n: …, and let it pass n to bad",
    ),
    "another function each time": (
        """
        import operator
        CHECKS = []
        for n, test in [("age", operator.lt), ("height", operator.gt)]:
            CHECKS.append(row_check(n, offending=lambda t, n=n: test(t[n], 0)))
        """,
        "check age of m sees test = gt; it was lt",
        "lambda t, n, test=test: …",
    ),
    "columns": (
        """
        COLUMNS = [int64("age"), int64("height")]
        CHECKS = [row_check(c.name, offending=lambda t: t[c.name] < 0) for c in COLUMNS]
        """,
        "check age of m sees c = height; it was age",
        "lambda t, c=c: …",
    ),
    "settings that may be changed": (
        """
        CHECKS = [
            row_check(s["of"], offending=lambda t: t[s["of"]] < 0)
            for s in [{"of": "age"}, {"of": "height"}]
        ]
        """,
        "check age of m sees s = {'of': 'height'}; it was {'of': 'age'}",
        "lambda t, s=s: …",
    ),
    "expressions": (
        """
        import ibis
        CHECKS = []
        for n, low in [("age", ibis.literal(0)), ("height", ibis.literal(1))]:
            CHECKS.append(row_check(n, offending=lambda t: t.age < low))
        """,
        "check age of m sees low = ",
        "lambda t, low=low: …",
    ),
    "whole tables": (
        """
        CHECKS = [
            table_check(n, offending=lambda this: this.filter(this[n] < 0))
            for n in ("age", "height")
        ]
        """,
        "check age of m sees n = 'height'; it was 'age'",
        "lambda this, n=n: …",
    ),
    "a relationship": (
        """
        CHECKS = [
            relationship(n, to="people.id", to_where=lambda p: p[n] > 0)
            for n in ("age", "height")
        ]
        """,
        "check age_in_people of m sees n = 'height'; it was 'age'",
        "lambda p, n=n: …",
    ),
    "uniqueness": (
        """
        CHECKS = [unique(n, where=lambda t: t[n] > 0) for n in ("age", "height")]
        """,
        "check age_unique of m sees n = 'height'; it was 'age'",
        "lambda t, n=n: …",
    ),
}


@pytest.mark.parametrize(("text", "what", "form"), LAST.values(), ids=LAST)
def test_functions_of_a_loop_that_see_its_last_value_are_refused(
    text: str, what: str, form: str, write_package: Write
) -> None:
    with pytest.raises(DefinitionError) as caught:
        linked(write_package, dedent(text) + MART)
    assert str(caught.value).startswith(what)
    (location,) = caught.value.facts
    file, _, line = location.rpartition(":")
    assert file.endswith("/m.py")
    source = f"from marts import *\n{dedent(text)}".splitlines()
    assert "lambda" in source[int(line) - 1]
    assert form in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            '''
            for age in (18, 21):
                @mart(grain="id", columns=[int64("id")])
                def m(people):
                    """People."""
                    return people.filter(people.age >= age)
                FIRST = globals().get("FIRST", m)
            m = FIRST
            ''',
            "mart m sees age = 21; it was 18 where the mart is declared",
        ),
        (
            '''
            ADULT = 18
            @mart(grain="id", columns=[int64("id")])
            def m(people):
                """People."""
                return people.filter(people.age >= ADULT)
            ADULT = 21
            ''',
            "mart m sees ADULT = 21; it was 18 where the mart is declared",
        ),
        (
            '''
            def made():
                for age in (18, 21):
                    @invariant(changes="people", keeps=lambda t: t.age > age)
                    def without_children(people):
                        """No children."""
                        return people
                    yield without_children
            first = list(made())[0]
            ''',
            "invariant without_children sees age = 21; it was 18 where the invariant is declared",
        ),
    ],
    ids=["a mart", "a constant that changes", "an invariant"],
)
def test_so_are_marts_and_relations(text: str, what: str, write_package: Write) -> None:
    with pytest.raises(DefinitionError) as caught:
        linked(write_package, text)
    assert str(caught.value).startswith(what)


RIGHT = {
    "bound by a default": """
        CHECKS = [row_check(n, offending=lambda t, n=n: t[n] < 0) for n in ("age", "height")]
    """,
    "bound in whole tables": """
        CHECKS = [
            table_check(n, offending=lambda this, n=n: this.filter(this[n] < 0))
            for n in ("age", "height")
        ]
    """,
    "bound by a partial": """
        from functools import partial
        def bad(t, *, of):
            return t[of] < 0
        CHECKS = [row_check(n, offending=partial(bad, of=n)) for n in ("age", "height")]
    """,
    "bound by a factory": """
        def not_negative(n):
            return row_check(n, offending=lambda t: t[n] < 0)
        CHECKS = [not_negative(n) for n in ("age", "height")]
    """,
    "an attribute of the loop's name": """
        CHECKS = [row_check("low", offending=lambda t: t.age < 0)]
        for age in ("x", "y"):
            pass
    """,
    "one constant for many": """
        LOW = 0
        CHECKS = [row_check(n, offending=lambda t, n=n: t[n] < LOW) for n in ("age", "height")]
    """,
    "what comes later": """
        CHECKS = [row_check("low", offending=lambda t: bad(t))]
        def bad(t):
            return t.age < LOW
        LOW = 0
    """,
    "a function that is written twice": """
        def bad(t):
            return t.age < 0
        CHECKS = [row_check("low", offending=lambda t: bad(t))]
        def bad(t):
            return t.age < 1
    """,
    "a value that is another object": """
        BOUNDS = (0, 18.5, frozenset("ab"))
        CHECKS = [row_check("low", offending=lambda t: t.age < BOUNDS[0])]
        BOUNDS = (0, 18.5, frozenset("ba"))
    """,
    "what the function keeps for later": """
        _low = None
        def low():
            global _low
            if _low is None:
                _low = 0
            return _low
        CHECKS = [row_check("low", offending=lambda t: t.age < low())]
        low()
    """,
    "a list that grows": """
        CHECKS = []
        CHECKS.append(row_check("low", offending=lambda t: t.age < len(CHECKS)))
    """,
    "an object that can be called": """
        class Bad:
            def __call__(self, t):
                return t.age < 0
        CHECKS = [row_check("low", offending=Bad())]
    """,
    "no function of Python's": """
        import operator
        CHECKS = [row_check("low", offending=operator.attrgetter("age"))]
    """,
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_what_binds_its_values_or_shares_them_is_taken(text: str, write_package: Write) -> None:
    linked(write_package, dedent(text) + MART)


def test_a_mart_may_bind_a_value(write_package: Write) -> None:
    text = """
        @mart(grain="id", columns=[int64("id")])
        def m(people, as_of, *, age=18):
            "People."
            return people.filter(people.age >= age)
    """
    package = write_package(sources=SOURCES, m="from marts import *\n" + dedent(text))
    assert load(package).marts["m"].parameters == ("people", "as_of")


# Functions, however they are wrapped


def test_an_authors_function_is_found_in_what_wraps_it() -> None:
    def written() -> None: ...

    class Callable:
        def __call__(self) -> None: ...

        def method(self) -> None: ...

    assert function_of(partial(partial(written))) is written
    assert function_of(Callable()) is Callable.__call__
    assert function_of(Callable().method) is Callable.method
    assert function_of(len) is None
    assert location_of_function(len) is None


def too_deep(depth: int = 0) -> int:
    return too_deep(depth + 1)


@pytest.mark.parametrize("slip", [too_deep, sys.exit, lambda: 1 / 0])
def test_a_slip_of_an_authors_function_names_what_it_defines(slip: object) -> None:
    with pytest.raises(DefinitionError, match="mart m failed to build its expression"):
        call(slip, what="mart m", location="m.py:1", expected=TABLE)  # type: ignore[arg-type]


def test_an_expression_too_deep_names_whose_it_is() -> None:
    with (
        pytest.raises(DefinitionError, match="mart m is an expression nested") as caught,
        naming("mart m", "m.py:1"),
    ):
        too_deep()
    assert caught.value.facts == ("m.py:1",)
    assert "mutate" in str(caught.value.hint)
