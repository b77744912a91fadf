"""Masking policies and tags of columns with personal data, as the project's settings name them.

A masking policy that a column has already is never replaced: nobody can tell which of the two shows
less. One that comes with a tag is left where it is; the policy of a column takes precedence.
https://docs.snowflake.com/en/user-guide/security-column-intro
https://docs.snowflake.com/en/user-guide/tag-based-masking-policies
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from backends.snowflake_ddl import literal
from backends.snowflake_errors import MISSING, number_of
from backends.snowflake_governance import (
    IDENTIFIER,
    MASKING,
    Governance,
    Policy,
    Records,
    Tag,
    quoted,
    unquoted,
)
from marts.core.errors import EngineError, UsageError
from marts.core.plan.state import ShapeChange
from marts.core.run.backend import Protection


@dataclass(frozen=True)
class Protections:
    """What protects each kind of personal data; `records` runs a query about something."""

    configured: Mapping[str, Protection]
    records: Records
    role: str = "…"
    """The role that needs what is missing, as SQL."""
    _seen: set[Protection] = field(default_factory=set)

    @property
    def has_policies(self) -> bool:
        """Tell whether values of any kind of personal data may be hidden."""
        return any(each.masking_policy for each in self.configured.values())

    def of(self, personal: Mapping[str, str], columns: Collection[str]) -> Governance:
        """Return the policies and tags that columns should have; `personal` has kinds by column.

        `columns` are those that there are, in any case.
        """
        there = {column.upper() for column in columns}
        pairs = [
            (column.upper(), self.configured[kind])
            for column, kind in personal.items()
            if kind in self.configured and column.upper() in there
        ]
        return Governance(
            policies=tuple(
                Policy(MASKING, qualified(each.masking_policy), column)
                for column, each in pairs
                if each.masking_policy
            ),
            tags=tuple(
                Tag(qualified(each.tag), each.value, column) for column, each in pairs if each.tag
            ),
        )

    def refuse_missing(self, kinds: Iterable[str]) -> None:
        """Raise UsageError for a policy or tag that does not exist, or that the role cannot put on.

        Each is looked for once.
        """
        for kind in sorted({*kinds} & self.configured.keys()):
            each = self.configured[kind]
            if each in self._seen:
                continue
            if each.masking_policy:
                self._refuse_policy(kind, qualified(each.masking_policy))
            if each.tag:
                self._refuse_tag(kind, each)
            self._seen.add(each)

    def _refuse_policy(self, kind: str, policy: str) -> None:
        try:
            # It asks for the same privilege as putting the policy on a column.
            rows = self.records(f"DESCRIBE MASKING POLICY {policy}", kind)
        except EngineError as error:
            if number_of(error) not in MISSING:
                raise
            rows = ()
        if not rows:
            raise self._missing(kind, "MASKING POLICY", policy)
        signature = str(rows[0]["signature"])
        if "," in re.sub(r"\([^()]*\)", "", signature.strip()[1:-1]):
            raise UsageError(
                f"masking policy {policy}, for personal data ({kind}), needs other columns",
                f"its arguments are {signature}",
                hint="name a policy with one argument",
            )

    def _refuse_tag(self, kind: str, wanted: Protection) -> None:
        tag = qualified(wanted.tag or "")
        database, schema, name = map(unquoted, re.findall(IDENTIFIER, tag))
        place = f"{quoted(database)}.{quoted(schema)}"
        try:
            rows = self.records(f"SHOW TAGS LIKE {literal(name)} IN SCHEMA {place}", kind)
        except EngineError as error:
            if number_of(error) not in MISSING:
                raise
            rows = ()
        # The pattern ignores case, and may match more than the name.
        found = [row for row in rows if row["name"] == name]
        if not found:
            raise self._missing(kind, "TAG", tag)
        allowed = str(found[0]["allowed_values"] or "")
        if allowed and f'"{wanted.value}"' not in allowed:
            raise UsageError(
                f"tag {tag}, for personal data ({kind}), does not allow the value {wanted.value}",
                f"it allows {allowed}",
                hint=f"write an allowed value into the settings: {kind} = {{ tag = …, value = … }}",
            )

    def _missing(self, kind: str, what: str, name: str) -> UsageError:
        return UsageError(
            f"{what.lower()} {name} does not exist, or the role may not put it on a column",
            f"the settings name it for personal data ({kind}); nothing was built",
            hint=f"GRANT APPLY ON {what} {name} TO ROLE {self.role};"
            " or correct [tool.marts.personal]",
        )


def qualified(name: str) -> str:
    """Return a name of the settings as SQL; what is not in double quotes is upper-case."""
    parts = re.findall(IDENTIFIER, name)
    return ".".join(each if each.startswith('"') else quoted(each.upper()) for each in parts)


def lacking(found: Governance, wanted: Governance, *, about: str) -> Governance:
    """Return the wanted policies and tags that a table or view lacks.

    Raises UsageError where a column has another policy, or the tag with another value.
    """
    policies = {each.column: each for each in found.policies if each.kind == MASKING}
    tags = {(each.column, each.name): each.value for each in found.tags}
    others = [
        f"column {each.column} has masking policy {policies[each.column].name}, not {each.name}"
        for each in wanted.policies
        if each.column in policies and policies[each.column] != each
    ]
    others += [
        f"column {each.column} has tag {each.name} = {literal(value)}, not {literal(each.value)}"
        for each in wanted.tags
        if (value := tags.get((each.column, each.name), each.value)) != each.value
    ]
    if others:
        raise UsageError(
            f"{about} has personal data that somebody else protects in another way",
            *others,
            hint="name the same in [tool.marts.personal], or let its owner take it off first",
        )
    return Governance(
        policies=tuple(each for each in wanted.policies if each.column not in policies),
        tags=tuple(each for each in wanted.tags if (each.column, each.name) not in tags),
    )


def with_more(found: Governance, more: Governance) -> Governance:
    """Return a governance with more policies and tags."""
    return replace(
        found, policies=(*found.policies, *more.policies), tags=(*found.tags, *more.tags)
    )


def described(mart: str, more: Governance) -> Iterator[ShapeChange]:
    """Yield, in words, which policies and tags are put on a mart's columns."""
    for policy in more.policies:
        yield ShapeChange(mart, f"masking policy {policy.name} on column {policy.column}")
    for tag in more.tags:
        yield ShapeChange(mart, f"tag {tag.name} = {literal(tag.value)} on column {tag.column}")
