"""How adaptations change statements: rules on parsed statements, and what is done after them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import Expr

from backends.emulator.patched import cursor

Rule = Callable[[Expr, Any], Expr]
"""Rewrites a statement; is given fakesnow's cursor, too."""


RULES: list[Rule] = []


def rewrite(rule: Rule) -> None:
    """Apply a rule to each parsed statement, before fakesnow's own transformations."""
    RULES.append(rule)


def install_rules() -> None:
    """Put the rules, and what they want done afterwards, into fakesnow's cursor."""
    transform = cursor.FakeSnowflakeCursor._transform
    explode = cursor.FakeSnowflakeCursor._transform_explode
    execute = cursor.FakeSnowflakeCursor.execute

    def explode_by_rules(self: Any, tree: Expr) -> Any:
        for rule in RULES:
            tree = rule(tree, self)
        return explode(self, tree)

    def execute_and_after(self: Any, *args: Any, **options: Any) -> Any:
        self.afterwards = []
        execute(self, *args, **options)
        for sql in self.afterwards:
            self._duck_conn.execute(sql)
        return self

    def transform_in_place(self: Any, tree: Expr, *args: Any) -> Any:
        return transform(self, InPlace(tree), *args).tree

    cursor.FakeSnowflakeCursor._transform = transform_in_place
    cursor.FakeSnowflakeCursor._transform_explode = explode_by_rules
    cursor.FakeSnowflakeCursor.execute = execute_and_after


class InPlace:
    """A tree that fakesnow transforms without copying it each of the 76 times.

    The copies are most of a statement's time; they change no answer.
    """

    def __init__(self, tree: Expr) -> None:
        self.tree = tree

    def transform(self, rule: Any, *args: Any, **options: Any) -> InPlace:
        """Return the transformed tree."""
        return InPlace(self.tree.transform(rule, *args, copy=False, **options))


def run_afterwards(find: Callable[[Expr, Any], list[str]]) -> None:
    """Run the DuckDB statements that `find` names for a statement, once that has succeeded."""

    def remember(tree: Expr, self: Any) -> Expr:
        self.afterwards += find(tree, self)
        return tree

    rewrite(remember)
