"""What publishing does on Snowflake: readers see the complete new build, or the complete old one.

Targets are prepared first: missing ones are created empty, and additive changes are made. Then one
transaction overwrites the rows of all targets and records them. It begins with the update of one
row, the lock of the group: a second publisher waits there, and then finds that the runs which it
has seen are no longer the published ones. What a transaction cannot do (views, tables of another
type) follows after the commit, and only if the caller has acknowledged it.

A mart that comes from another group is recorded in that group's state table. Then the transaction
takes the locks of both groups, in the order of their names, as every publisher does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from backends import snowflake_ddl as ddl
from backends.snowflake_candidates import Candidate
from backends.snowflake_catalog import Catalog
from backends.snowflake_errors import LostAnswerError
from backends.snowflake_governance import Governance, Records, carried, gone, governance
from backends.snowflake_keys import keys
from backends.snowflake_locks import STEP, elsewhere, take_locks
from backends.snowflake_protection import described, lacking, with_more
from backends.snowflake_replacement import new_columns, preparation, replacement
from backends.snowflake_reshape import refuse_reshapes, with_text
from backends.snowflake_shape import Changes, Shape, changes, shapes
from backends.snowflake_sql import Namespace
from backends.snowflake_state import (
    LOCK,
    MARKER,
    NOBODY,
    Contents,
    Schema,
    Transacting,
    groups_in,
    published_in,
    refuse_other_publications,
    with_digest,
)
from marts.core.errors import (
    EngineError,
    PartlyPublishedError,
    UnknownPublicationError,
)
from marts.core.plan.state import (
    EARLIER_STATE_TABLE,
    Publication,
    RecordedTable,
    ShapeChange,
)

ASKING_SECONDS = 60
"""How long a lost session's transaction is waited for, to ask whether it was committed."""


@dataclass
class Publisher:
    """The publication of one run; `made` are the changes of shape that readers can see already.

    `seen` are package, name and run of what was recorded when the run began.
    """

    publication: Publication
    candidates: Mapping[str, Candidate]
    schema: Schema
    candidates_namespace: Namespace
    catalog: Catalog
    connection: Transacting
    seen: Collection[RecordedTable]
    digests: Mapping[str, str]
    records: Records
    wanted: Callable[[str, Collection[str]], Governance]
    recorded_in: Callable[[str], Collection[RecordedTable]]
    holders: Callable[[], Sequence[str]]
    made: list[ShapeChange] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    is_published: bool = False
    governed: dict[str, Governance] = field(default_factory=dict)
    """What governs the targets that will be replaced."""

    def publish(self) -> None:
        """Publish all candidates, or nothing of them.

        Raises PartlyPublishedError if an acknowledged reshape fails after the commit.
        """
        self.catalog.forget()
        if groups := self._groups():
            # Asked again under the lock; here, nothing is prepared in vain.
            self._refuse_other_publications(groups)
        built = self._built()
        found = self._changes(built)
        self._refuse_reshapes(found)
        self._read_governance(found)
        self._prepare(found, built)
        in_place = [name for name, each in found.items() if self._is_in_place(name, each)]
        self._transact(in_place, found)
        self._after(in_place, found)

    def _built(self) -> dict[str, Shape]:
        """Return the shape that each target is to have, from the catalog's columns."""
        there = self.candidates_namespace
        found = shapes(self.catalog.kinds(there), self.catalog.columns(there))
        return {
            name: Shape(each.kind, found[each.table].columns, each.text)
            for name, each in self.candidates.items()
        }

    def _changes(self, built: Mapping[str, Shape]) -> dict[str, Changes]:
        """Return what changes about each target."""
        namespace = self.schema.namespace
        old = shapes(self.catalog.kinds(namespace), self.catalog.columns(namespace))
        return {
            name: changes(
                with_text(old.get(name.upper()), self.digests.get(name)),
                new,
                key=self.candidates[name].key,
            )
            for name, new in built.items()
        }

    def _is_in_place(self, name: str, found: Changes) -> bool:
        """Tell whether a target is published by the transaction."""
        is_new_view = found.missing and self.candidates[name].kind == "view"
        return not (found.replaced or found.redefined or is_new_view)

    def _refuse_reshapes(self, found: Mapping[str, Changes]) -> None:
        lines = [
            line
            for name, each in found.items()
            for line in each.described(name, reads=bool(self.candidates[name].reads & found.keys()))
        ]
        refuse_reshapes(lines, self.publication.reshapes)

    def _read_governance(self, found: Mapping[str, Changes]) -> None:
        """Read what governs targets that will be replaced or lose columns; refuse to lose it."""
        namespace = self.schema.namespace
        tables, kinds = self.catalog.tables(namespace), self.catalog.kinds(namespace)
        for name, each in found.items():
            in_place = self._is_in_place(name, each)
            if not each.missing and (each.dropped or not in_place):
                key, kind = tables[name.upper()]["CLUSTERING_KEY"], kinds[name.upper()]
                governed = governance(namespace, name, kind, self.records, clustering=key)
                columns = self.candidates[name].columns
                carried(governed, columns, about=name, in_place=in_place)
                self.governed[name] = governed

    def _gone(self, name: str, *, only: str | None = None) -> list[ShapeChange]:
        """Return what goes with a target's dropped columns, or with one of them."""
        governed = self.governed.get(name, Governance())
        kept = governed.columns - {only} if only else self.candidates[name].columns
        return [ShapeChange(name, line) for line in gone(governed, kept)]

    def _prepare(self, found: Mapping[str, Changes], built: Mapping[str, Shape]) -> None:
        """Record whose the new tables are, create them empty, and make additive changes."""
        package, run_id = self.publication.package, self.publication.run_id
        lock = RecordedTable(NOBODY, LOCK, LOCK, run_id)
        self.schema.prepare_state(self.catalog)
        for other in map(self.schema.of, self._others()):
            other.prepare_state(self.catalog)
            other.claim([lock], step="claim")
        new = [
            RecordedTable(package, name, self.candidates[name].kind, run_id)
            for name, each in found.items()
            if each.missing
        ]
        self.schema.claim([lock, *new], step="claim")
        declared = keys(self.schema.namespace, self.records) if found else {}
        for name, each in found.items():
            mart, key = self.candidates[name], declared.get(name.upper())
            more = self.wanted(name, new_columns(mart, each, built[name]))
            target = self.schema.qualified(name)
            for sql in preparation(mart, target, each, built[name], key=key, protected=more):
                self.schema.execute(sql, name, "prepare")
            self.made += described(name, more)
            if self._is_in_place(name, each):
                lines = each.described(name)
                self.made += [line for line in lines if not line.is_reshape]
        if any(each != Changes() for each in found.values()):
            self.catalog.forget()

    def _transact(self, names: Sequence[str], found: Mapping[str, Changes]) -> None:
        """Overwrite and record all targets in one transaction, or roll it back."""
        # The catalog is read before, since the lock should be held for a short time.
        versions = self.catalog.versions(
            self.schema.namespace, {name: found[name].dropped for name in names}
        )
        tables = [name for name in names if self.candidates[name].kind == "table"]
        built = self._contents(tables, {n: self.candidates[n].qualified for n in tables})
        try:
            self.schema.execute(ddl.BEGIN, "", STEP)
            groups, undo = {self.schema.group, *self._others()}, self.connection.roll_back
            run_id, holders = self.publication.run_id, self.holders
            take_locks(self.schema, groups, run_id, roll_back=undo, holders=holders)
            self._refuse_other_publications({*self._groups(), self.schema.group})
            self._overwrite(built)
            self._record(names, versions, built)
        except BaseException:
            self.connection.roll_back()
            raise
        self._commit()

    def _groups(self) -> set[str]:
        """Return the groups of all packages that have a state table."""
        return groups_in(self.catalog.kinds(self.schema.namespace))

    def _others(self) -> Collection[str]:
        """Return the groups from which this publication takes over marts."""
        names = {*self.candidates, *self.publication.drops}
        return elsewhere(self.seen, self.schema.group, names)

    def _forget_elsewhere(self, names: Collection[str], step: str) -> None:
        for group, moved in elsewhere(self.seen, self.schema.group, names).items():
            self.schema.of(group).forget(moved, step=step)

    def _refuse_other_publications(self, groups: Collection[str]) -> None:
        """Refuse if another run has published a target, or a mart that this run has read."""
        own = self.publication
        if names := sorted({*self.candidates, *own.drops, *own.read}):
            now = self.schema.published(names, groups, step=STEP)
            refuse_other_publications(now, published_in(self.seen, names))

    def _overwrite(self, built: Mapping[str, Contents]) -> None:
        """Overwrite the targets whose rows differ from those that were built."""
        targets = {name: self.schema.qualified(name) for name in built}
        old, written = self._contents(built, targets), dict[str, str]()
        for name, new in built.items():
            # The recorded digest counts, too: a policy may hide rows or values of the target.
            if new == old[name] and new.digest == self.digests.get(name):
                continue
            candidate = self.candidates[name]
            sql = ddl.overwrite(targets[name], candidate.qualified, candidate.columns)
            self.schema.execute(sql, name, STEP)
            written[name] = targets[name]
        for name, seen in self._contents((), written).items():
            if seen.rows != built[name].rows:
                raise EngineError(
                    f"{name}: {built[name].rows} rows were built, but {seen.rows} can be seen after"
                    " writing them; nothing was published",
                    hint="a row access policy must let the building role see all rows",
                )

    def _contents(self, hashed: Iterable[str], relations: Mapping[str, str]) -> dict[str, Contents]:
        """Return the contents of relations by mart; those of `hashed` marts with a digest."""
        if not relations:
            return {}
        columns = {name: self.candidates[name].columns for name in hashed}
        rows = self.schema.rows(ddl.contents(relations, columns), "", STEP)
        return {
            name: Contents(int(count), None if digest is None else f"{count} {digest}")
            for name, count, digest in rows
        }

    def _record(
        self, names: Sequence[str], versions: Mapping[str, str], contents: Mapping[str, Contents]
    ) -> None:
        own = self.publication
        made_by = (own.run_id, own.as_of)
        rows = [self._row(name, versions[name], contents.get(name)) for name in names]
        rows += [
            RecordedTable(own.package, name, "source", *made_by, None, text)
            for name, text in own.checked.items()
        ]
        rows.append(RecordedTable(NOBODY, own.run_id, MARKER, *made_by))
        self.schema.record(rows, step=STEP)
        # A package that adopts a table adopts its record.
        self.schema.forget(names, step=STEP, but_of=own.package)
        self._forget_elsewhere(names, STEP)
        kinds = self.catalog.kinds(self.schema.namespace)
        if EARLIER_STATE_TABLE.upper() in kinds and (gone := [*names, *own.drops]):
            earlier = self.schema.qualified(EARLIER_STATE_TABLE)
            self.schema.execute(ddl.delete_state(earlier, "mart", gone), "", STEP)

    def _row(self, name: str, version: str, contents: Contents | None) -> RecordedTable:
        """Return what is recorded of a mart; a view has no contents, but a definition."""
        own = self.publication
        rows, digest = None, self.candidates[name].text
        if contents:
            rows, digest = contents.rows, contents.digest
        return RecordedTable(
            own.package,
            name,
            self.candidates[name].kind,
            own.run_id,
            own.as_of,
            with_digest(f"{version} {rows}", digest),
            own.fingerprints.get(name),
            own.proofs.get(name),
        )

    def _commit(self) -> None:
        """Commit; if the answer is an error, find out what has happened."""
        try:
            self.connection.commit()
        except EngineError as error:
            if not self._was_committed(error):
                raise EngineError(
                    "the commit failed; nothing was published", str(error), hint="run again"
                ) from error
        self.is_published = True

    def _was_committed(self, error: EngineError) -> bool:
        """Tell whether the transaction was committed, once it has ended."""
        sql = ddl.recorded_of(self.schema.state, self.publication.run_id, MARKER)
        try:
            if isinstance(error, LostAnswerError):
                self.connection.renew()
                self.schema.execute(ddl.set_lock_timeout(ASKING_SECONDS), "", "ask")
                self.schema.execute(ddl.BEGIN, "", "ask")
                # This waits for the lost session's transaction to end.
                own_lock = ddl.lock(self.schema.state, self.publication.run_id, kind=LOCK)
                self.schema.execute(own_lock, "", "ask")
            else:
                self.connection.roll_back()
            ((count,),) = self.schema.rows(sql, "", "ask")
            return bool(count)
        except (EngineError, KeyboardInterrupt) as again:
            raise UnknownPublicationError(again) from error
        finally:
            self.connection.roll_back()

    def _after(self, done: list[str], found: Mapping[str, Changes]) -> None:
        """Do what no transaction can: views, tables of another type, dropped columns and tables."""
        later = [name for name in found if name not in done]
        try:
            while later:
                self._replace(later[0], found[later[0]])
                done.append(later.pop(0))
        except (EngineError, KeyboardInterrupt) as error:
            raise PartlyPublishedError(done, later, error) from error
        for name, each in found.items():
            for column in each.dropped:
                sql = ddl.drop_column(self.schema.qualified(name), column)
                if self._tried(sql, name):
                    self.made += Changes(dropped=(column,)).described(name)
                    self.made += self._gone(name, only=column)
        self._drop()

    def _tried(self, sql: str, name: str) -> bool:
        """Run a statement after the commit; what fails is left to the next run."""
        try:
            self.schema.execute(sql, name, "drop")
        except EngineError as error:
            self.unfinished.append(f"{name}: {error}")
            return False
        return True

    def _replace(self, name: str, found: Changes) -> None:
        """Create or replace one view or table by statements of its own, and record it then."""
        candidate = self.candidates[name]
        existing = self.catalog.kinds(self.schema.namespace).get(name.upper())
        governed = self.governed.get(name, Governance())
        more = lacking(governed, self.wanted(name, candidate.columns), about=name)
        target = self.schema.qualified(name)
        # As long as no policy hides anything.
        built = {} if candidate.kind == "view" else {name: candidate.qualified}
        contents = self._contents([name], built)
        for sql in replacement(candidate, target, existing, with_more(governed, more)):
            self.schema.execute(sql, name, "reshape")
        self.made += [*found.described(name), *described(name, more)]
        self.made += self._gone(name)
        self.catalog.forget()
        version = self.catalog.versions(self.schema.namespace, {name: ()})[name]
        self.schema.record([self._row(name, version, contents.get(name))], step="reshape")
        self.schema.forget([name], step="reshape", but_of=self.publication.package)
        self._forget_elsewhere([name], "reshape")

    def _drop(self) -> None:
        kinds = self.catalog.kinds(self.schema.namespace)
        dropped = [
            name
            for name in self._droppable()
            if (kind := kinds.get(name.upper())) is None
            or self._tried(ddl.drop(kind, self.schema.qualified(name)), name)
        ]
        self.schema.forget(dropped, step="drop")
        self._forget_elsewhere(dropped, "drop")
        if EARLIER_STATE_TABLE.upper() in kinds and not self.recorded_in(EARLIER_STATE_TABLE):
            earlier = self.schema.qualified(EARLIER_STATE_TABLE)
            self._tried(ddl.drop("table", earlier), EARLIER_STATE_TABLE)

    def _droppable(self) -> list[str]:
        """Return what is to be dropped, less what another run has published since the commit."""
        names = self.publication.drops
        groups = {*self._groups(), self.schema.group}
        now = self.schema.published(names, groups, step="drop") if names else {}
        anew = {key[1] for key, _ in now.items() - published_in(self.seen, names).items()}
        self.unfinished += [f"{name}: another run has published it meanwhile" for name in anew]
        return [name for name in names if name not in anew]
