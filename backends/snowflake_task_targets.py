"""The published marts of a schedule: what deploying refuses, and what it makes ready."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from backends.snowflake import SnowflakeBackend
from backends.snowflake_candidates import Candidate, digest_of_text
from backends.snowflake_governance import Governance
from backends.snowflake_keys import keys
from backends.snowflake_protection import described
from backends.snowflake_replacement import new_columns, preparation
from backends.snowflake_reshape import with_text
from backends.snowflake_runs import prepare
from backends.snowflake_shape import Changes, Shape, changes, declared, shapes
from backends.snowflake_task_place import TaskPlace
from backends.snowflake_task_script import claims
from backends.sql import RUNS
from marts.core.errors import UsageError
from marts.core.plan.schedule import ScheduledMart, is_dated
from marts.core.plan.state import Annotation, ShapeChange

STEP = "deploy"


@dataclass(frozen=True)
class Targets:
    """The published marts of a schedule, as the account has them and as they are to be."""

    backend: SnowflakeBackend
    place: TaskPlace

    def _found(self) -> dict[str, tuple[ScheduledMart, Changes, Shape]]:
        namespace, catalog = self.backend.namespace, self.backend.catalog
        old = shapes(catalog.kinds(namespace), catalog.columns(namespace))
        found = {}
        for each in self.place.schedule.published:
            text = self._text(each)
            shape = declared(each.kind, each.schema, text=text)
            target = with_text(
                old.get(each.name.upper()), self.backend.protector.digests().get(each.name)
            )
            if target and text is None and each.kind == "view":
                # Its text has the date; whether it is the same is known when it runs.
                target = replace(target, text=None)
                shape = replace(shape, text=None)
            found[each.name] = each, changes(target, shape, key=each.key), shape
        return found

    def _text(self, each: ScheduledMart) -> str | None:
        if each.kind != "view" or is_dated(each.query):
            return None
        return digest_of_text(self.place.definition(each.query))

    def refuse(self, acknowledged: Collection[str]) -> None:
        """Raise UsageError for marts that a task must not or cannot publish."""
        self._refuse_others()
        built = {each.name for each in self.place.schedule.published}
        dated = [
            each.name
            for each in self.place.schedule.published
            if each.kind == "view" and is_dated(each.query) and each.query.names & built
        ]
        if dated:
            raise UsageError(
                "a view with the run's date in its text, over marts, cannot be scheduled",
                *(f"the view {name}: readers would see a mixture, every day" for name in dated),
                hint='make it materialized="table"',
            )
        self._refuse_masked_views()
        lines = [
            line
            for name, (each, found, _) in self._found().items()
            for line in found.described(name, reads=bool(each.query.names & built))
            if line.is_reshape and not (found.redefined and name in acknowledged)
        ]
        if lines:
            names = dict.fromkeys(line.mart for line in lines)
            raise UsageError(
                "publishing would reshape marts that people read, which tasks cannot do",
                *map(str, lines),
                hint="publish them once, then deploy: marts run "
                + " ".join(f"--reshape {name}" for name in names),
            )

    def _refuse_masked_views(self) -> None:
        """Raise UsageError for views that are to have policies: each replacement takes them off."""
        masked = [
            each.name
            for each in self.place.schedule.published
            if each.kind == "view" and self._wanted(each, each.schema.names) != Governance()
        ]
        if masked:
            raise UsageError(
                "a view with protected personal data cannot be scheduled",
                *(f"the view {name} would be replaced without its policies" for name in masked),
                hint='make it materialized="table"',
            )

    def _wanted(self, each: ScheduledMart, columns: Collection[str]) -> Governance:
        return self.backend.protector.wanted({each.name: each.personal}, each.name, columns)

    def _refuse_others(self) -> None:
        own, kinds = self.place.schedule, self.backend.catalog.kinds(self.backend.namespace)
        rows = [row for row in self.backend.state() if row.kind in ("table", "view")]
        lines = []
        for each in own.published:
            found = [row for row in rows if row.name == each.name]
            if each.name.upper() in kinds and not found:
                lines.append(f"{each.name}: a table or view that marts did not make")
            lines += [
                f"{each.name}: made by package {row.package}, group {row.group}"
                for row in found
                if (row.package, row.group) != (own.package, own.group)
            ]
        if lines:
            raise UsageError(
                "a scheduled run replaces only what this package and group have made",
                *lines,
                hint="take them over once, then deploy: marts run"
                + "".join(f" --adopt {line.partition(':')[0]}" for line in lines),
            )

    def _execute(self, sql: str) -> object:
        return self.backend.execute(sql, step=STEP)

    def prepare(self) -> list[ShapeChange]:
        """Record whose the tables are, create those that are missing, make additive changes."""
        backend, place = self.backend, self.place
        schema, own = place.schema, place.schedule
        prepare(RUNS, backend.namespace, backend.catalog, self._execute)
        schema.prepare_state(backend.catalog)
        known = {(row.package, row.name) for row in backend.state()}
        rows = [row for row in claims(place) if (row.package, row.name) not in known]
        schema.claim(rows, step=STEP)
        annotations = [_annotation(each) for each in own.published]
        made = [*backend.protect(annotations, read={})]
        declared_keys = keys(backend.namespace, backend.records)
        for name, (each, found, shape) in self._found().items():
            candidate = Candidate(
                name, "", each.kind, tuple(each.schema.names), comment=each.comment,
                column_comments=each.column_comments, key=each.key,
            )  # fmt: skip
            more = self._wanted(each, new_columns(candidate, found, shape))
            key = declared_keys.get(name.upper())
            target = schema.qualified(name)
            for sql in preparation(candidate, target, found, shape, key=key, protected=more):
                backend.execute(sql, about=name, step=STEP)
            if each.kind == "table":
                made += [*found.described(name), *described(name, more)]
        backend.catalog.forget()
        backend.annotate([each for each in annotations if each.kind == "table"])
        return made


def _annotation(each: ScheduledMart) -> Annotation:
    return Annotation(
        each.name, each.kind, each.comment, each.column_comments, each.key, each.personal
    )
