"""Puts policies and tags on published columns with personal data, before anything is built."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from backends import snowflake_ddl as ddl
from backends.snowflake_catalog import Catalog
from backends.snowflake_governance import Governance, of_its_columns, put_on
from backends.snowflake_protection import Protections, described, lacking
from backends.snowflake_state import Schema
from marts.core.errors import EngineError
from marts.core.plan.state import Annotation, ShapeChange

STEP = "protect"


@dataclass(frozen=True)
class Protector:
    """The published marts of a schema, and what their columns should have.

    `digests` returns those of what was published, by mart.
    """

    protections: Protections
    schema: Schema
    catalog: Catalog
    digests: Callable[[], Mapping[str, str]]
    found: dict[str, Governance] = field(default_factory=dict)
    """What columns of published marts have, between planning and putting on the rest."""

    def wanted(
        self, personal: Mapping[str, Mapping[str, str]], name: str, columns: Collection[str]
    ) -> Governance:
        """Return what columns of a mart should have; `personal` has kinds by mart and column."""
        return self.protections.of(personal.get(name, {}), columns)

    def planned(self, annotations: Collection[Annotation]) -> list[ShapeChange]:
        """Return what marts would get, also those that are not published yet.

        What they have is remembered until it is put on.

        Raises UsageError for a policy or tag that cannot be put on, and for a column that has
        another one.
        """
        if not self.protections.configured:
            return []
        self.protections.refuse_missing(
            kind for each in annotations for kind in each.personal.values()
        )
        return [
            change
            for each in annotations
            for change in described(each.name, self._lacking(each, each.personal))
        ]

    def protect(
        self, annotations: Collection[Annotation], *, read: Mapping[str, Sequence[str]]
    ) -> Iterator[ShapeChange]:
        """Put it on the columns of published marts that lack it, and yield what was put on.

        Each is yielded when it is there, so that the caller knows it whatever happens next. Raises
        EngineError if policies hide values of the marts `read` from the session's role.
        """
        for each in annotations if self.protections.configured else ():
            if kind := self.catalog.kinds(self.schema.namespace).get(each.name.upper()):
                more = self._lacking(each, self._columns(each.name))
                statements = put_on(more, self.schema.qualified(each.name), kind)
                for sql, change in zip(statements, described(each.name, more), strict=True):
                    self.schema.execute(sql, each.name, STEP)
                    yield change
            self.found.pop(each.name, None)
        if read and self.protections.has_policies:
            self._refuse_hidden(read)

    def _columns(self, name: str) -> list[str]:
        rows = self.catalog.columns(self.schema.namespace)
        return [row["COLUMN_NAME"] for row in rows if row["TABLE_NAME"] == name.upper()]

    def _lacking(self, mart: Annotation, columns: Collection[str]) -> Governance:
        """Return what those of a mart's columns should get."""
        wanted = self.protections.of(mart.personal, columns)
        kind = self.catalog.kinds(self.schema.namespace).get(mart.name.upper())
        if kind is None or not wanted.columns:
            return wanted
        if mart.name not in self.found:
            self.found[mart.name] = of_its_columns(
                self.schema.namespace, mart.name, kind, self.protections.records, wanted=wanted
            )
        return lacking(self.found[mart.name], wanted, about=mart.name)

    def _refuse_hidden(self, read: Mapping[str, Sequence[str]]) -> None:
        """Raise EngineError if this role does not see the rows that were published of a table.

        Marts that read it would show masks.
        """
        digests, kinds = self.digests(), self.catalog.kinds(self.schema.namespace)
        tables = {
            name: columns
            for name, columns in read.items()
            if name in digests and kinds.get(name.upper()) == "table"
        }
        if not tables:
            return
        relations = {name: self.schema.qualified(name) for name in tables}
        rows = self.schema.rows(ddl.contents(relations, tables), "", STEP)
        hidden = [name for name, count, digest in rows if f"{count} {digest}" != digests[name]]
        if hidden:
            raise EngineError(
                "the role does not see the rows that were published: a policy hides some of their"
                " values, or somebody has changed them; nothing was built",
                *sorted(hidden),
                hint="let the masking policies show all values to the role that runs marts, such as"
                " with IS_ROLE_IN_SESSION; or build these marts as well: --force",
            )
