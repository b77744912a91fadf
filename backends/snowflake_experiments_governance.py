"""Experiments on what governs a table or view: what is kept when its rows, or itself, are new."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backends import snowflake_ddl as ddl
from backends.snowflake_access import close_to_readers, readers
from backends.snowflake_errors import LostAnswerError
from backends.snowflake_governance import Governance, governance, put_on
from backends.snowflake_scratch import Scratch, listed
from marts.core.errors import EngineError
from marts.core.run.diagnosis import Experiment, Finding, ok, skip, verdict_of

GRANTEE = "ROLE PUBLIC"
LOST = "do not publish into tables that have one; report this with the evidence"


@dataclass(frozen=True)
class Governed:
    """Something that is put on a table: the statements that do it, and what is needed for that."""

    statements: Callable[[Scratch, str], Sequence[str]]
    needs: str


def _masking(door: Scratch, table: str) -> list[str]:
    policy = door.name(f"MASKING_OF_{_bare(table)}")
    return [
        f"CREATE MASKING POLICY {policy} AS (V VARCHAR) RETURNS VARCHAR -> V",
        f'ALTER TABLE {table} MODIFY COLUMN "V" SET MASKING POLICY {policy}',
    ]


def _row_access(door: Scratch, table: str) -> list[str]:
    policy = door.name(f"ROWS_OF_{_bare(table)}")
    return [
        f"CREATE ROW ACCESS POLICY {policy} AS (K INTEGER) RETURNS BOOLEAN -> TRUE",
        f'ALTER TABLE {table} ADD ROW ACCESS POLICY {policy} ON ("K")',
    ]


def _tag(door: Scratch, table: str) -> list[str]:
    tag = door.name(f"TAG_OF_{_bare(table)}")
    return [
        f"CREATE TAG {tag}",
        f"ALTER TABLE {table} SET TAG {tag} = 'of the table'",
        f"ALTER TABLE {table} MODIFY COLUMN \"V\" SET TAG {tag} = 'of the column'",
    ]


def _grant(_: Scratch, table: str) -> list[str]:
    return [f"GRANT SELECT ON TABLE {table} TO {GRANTEE}"]


def _clustering(_: Scratch, table: str) -> list[str]:
    return [f'ALTER TABLE {table} CLUSTER BY ("K")']


def _bare(table: str) -> str:
    return table.rpartition(".")[2].strip('"')


GOVERNED = {
    "masking_policy": Governed(
        _masking, "GRANT APPLY MASKING POLICY ON ACCOUNT TO ROLE {role}, to try it"
    ),
    "row_access_policy": Governed(
        _row_access, "GRANT APPLY ROW ACCESS POLICY ON ACCOUNT TO ROLE {role}, to try it"
    ),
    "tags": Governed(_tag, "GRANT APPLY TAG ON ACCOUNT TO ROLE {role}, to try it"),
    "grants": Governed(_grant, "own the schema, to try it"),
    "clustering": Governed(_clustering, "own the table, to try it"),
}


def _new_table(door: Scratch, name: str, rows: Sequence[str] = ("1, 'old'",)) -> str:
    return door.table(name, '"K" INTEGER, "V" VARCHAR', *rows)


def _put(door: Scratch, which: str, table: str) -> EngineError | None:
    """Put something on a table; return the error if the role may not."""
    for sql in GOVERNED[which].statements(door, table):
        if refused := door.first.refusal(sql):
            return refused
    return None


def _found(door: Scratch, name: str) -> Governance:
    door.catalog.forget()
    clustering = door.catalog.tables(door.schema)[name]["CLUSTERING_KEY"]
    return governance(door.schema, name, "table", door.first.records, clustering=clustering)


def _survives(which: str) -> Callable[[Scratch], Finding]:
    def run(door: Scratch) -> Finding:
        name = f"KEPT_{which}".upper()
        target = _new_table(door, name)
        candidate = _new_table(door, f"{name}_NEW", ("2, 'new'", "3, 'new'"))
        if refused := _put(door, which, target):
            needs = GOVERNED[which].needs.format(role=door.role)
            return skip(refused.summary, *refused.facts[:1], remedy=needs)
        before = _found(door, name)
        if before == Governance():
            return skip("nothing can be seen of it once it is put on a table")
        door.first.run(ddl.BEGIN, ddl.overwrite(target, candidate, ["K", "V"]), ddl.COMMIT)
        after = _found(door, name)
        problems = [] if before == after else [f"before: {before}", f"after: {after}"]
        rows = door.first.value(f"SELECT COUNT(*) FROM {target}")
        if rows != 2:
            problems.append(f"{rows} rows of 2 can be seen")
        return verdict_of(problems, "the same before and after", bad="FAIL", remedy=LOST)

    return run


def clone_keeps(door: Scratch) -> Finding:
    """Replace a table by a clone of a candidate on which everything was put first."""
    target = _new_table(door, "CLONED")
    put = [which for which in GOVERNED if _put(door, which, target) is None]
    before = _found(door, "CLONED")
    candidate = _new_table(door, "CLONED_NEW", ("2, 'new'",))
    door.first.run(*put_on(before, candidate), ddl.replace_by_clone(target, candidate))
    after = _found(door, "CLONED")
    words = {"policies": "policies", "tags": "tags", "grants": "grants", "clustering": "clustering"}
    problems = [
        f"{word} differ: {getattr(before, part)} became {getattr(after, part)}"
        for part, word in words.items()
        if getattr(before, part) != getattr(after, part)
    ]
    left = [which for which in GOVERNED if which not in put]
    evidence = [f"kept: {listed(put)}", *([f"not tried: {listed(left)}"] if left else [])]
    remedy = "do not acknowledge a reshape of a mart that has one (--reshape); put it on again"
    return verdict_of(problems, *evidence, bad="FAIL", remedy=remedy)


def comments_survive(door: Scratch) -> Finding:
    """Overwrite a table with comments."""
    target = door.name("COMMENTED")
    door.first.run(
        ddl.create_target(
            target, {"V": "VARCHAR"}, comment="a table's", column_comments={"v": "a column's"}
        )
    )
    candidate = door.table("COMMENTED_NEW", '"V" VARCHAR', "'new'")
    door.first.run(ddl.overwrite(target, candidate, ["V"]))
    table, columns = _comments(door, "COMMENTED")
    problems = [] if (table, columns) == ("a table's", ["a column's"]) else [f"{table}, {columns}"]
    return verdict_of(problems, "the same as before", bad="warn", remedy="none: a run sets them")


def _comments(door: Scratch, name: str) -> tuple[str | None, list[str | None]]:
    door.catalog.forget()
    table = door.catalog.tables(door.schema)[name]["COMMENT"]
    rows = door.catalog.columns(door.schema)
    return table, [row["COMMENT"] for row in rows if row["TABLE_NAME"] == name]


def comments_of_views(door: Scratch) -> Finding:
    """Create a view with comments, and change them as a later run does."""
    table, view = door.table("VIEWED", '"V" VARCHAR'), door.name("COMMENTED_VIEW")
    create = ddl.create_view(
        view,
        f'SELECT "V" FROM {table}',
        columns=["v"],
        comment="a view's",
        column_comments={"v": "a column's"},
        kept=ddl.NOTHING,
    )
    door.first.run(create)
    first = _comments(door, "COMMENTED_VIEW")
    door.first.run(ddl.comment("view", view, "new"), ddl.comment_column(view, "v", "new"))
    second = _comments(door, "COMMENTED_VIEW")
    problems = [
        f"the comments {when} are {found[0]} and {listed(found[1])}"
        for when, found, wanted in (
            ("of a new view", first, ("a view's", ["a column's"])),
            ("that were changed", second, ("new", ["new"])),
        )
        if found != wanted
    ]
    return verdict_of(problems, "the catalog has them", bad="warn", remedy="none")


def stream_survives(door: Scratch) -> Finding:
    """Overwrite a table that a stream watches."""
    target = _new_table(door, "STREAMED")
    candidate = _new_table(door, "STREAMED_NEW", ("2, 'new'",))
    stream = door.name("STREAM")
    if refused := door.first.refusal(f"CREATE STREAM {stream} ON TABLE {target}"):
        return skip(refused.summary, *refused.facts[:1])
    door.first.run(ddl.BEGIN, ddl.overwrite(target, candidate, ["K", "V"]), ddl.COMMIT)
    actions = sorted(
        str(row[0]) for row in door.first.rows(f"SELECT METADATA$ACTION FROM {stream}")
    )
    problems = [] if actions == ["DELETE", "INSERT"] else [f"the stream has {listed(actions)}"]
    evidence = "the stream has each old row as deleted, and each new one as inserted"
    return verdict_of(problems, evidence, bad="FAIL", remedy=LOST)


def search_optimization(door: Scratch) -> Finding:
    """Overwrite a table that has search optimization."""
    target = _new_table(door, "SEARCHED")
    candidate = _new_table(door, "SEARCHED_NEW", ("2, 'new'",))
    if refused := door.first.refusal(f"ALTER TABLE {target} ADD SEARCH OPTIMIZATION"):
        return skip(refused.summary, *refused.facts[:1])
    door.first.run(ddl.BEGIN, ddl.overwrite(target, candidate, ["K", "V"]), ddl.COMMIT)
    (row,) = door.first.records(f"SHOW TABLES LIKE 'SEARCHED' IN SCHEMA {door.schema.sql}")
    found = str(row.get("search_optimization"))
    problems = [] if found == "ON" else [f"it is {found}"]
    return verdict_of(
        problems, "it is on", bad="warn", remedy="ALTER TABLE … ADD SEARCH OPTIMIZATION"
    )


def _readers_of(door: Scratch, kind: str, relation: str) -> list[str]:
    rows = door.first.records(f"SHOW GRANTS ON {kind} {relation}")
    return [row["privilege"] for row in rows if row["grantee_name"] == "PUBLIC"]


def _future(door: Scratch, kind: str) -> EngineError | None:
    what = f"SELECT ON FUTURE {kind}S IN SCHEMA {door.schema.sql}"
    return door.first.refusal(f"GRANT {what} TO {GRANTEE}")


def future_grants(door: Scratch) -> Finding:
    """Create a table and a view as marts does, in a schema with future grants."""
    for kind in ("TABLE", "VIEW"):
        if refused := _future(door, kind):
            return skip(refused.summary, *refused.facts[:1], remedy="own the schema, to try it")
    table, view = door.name("FUTURE_TABLE"), door.name("FUTURE_VIEW")
    door.first.run(ddl.create_target(table, {"V": "VARCHAR"}, comment="", column_comments={}))
    door.first.run(_view(view, table, kept=ddl.NOTHING))
    found = {"table": _readers_of(door, "TABLE", table), "view": _readers_of(door, "VIEW", view)}
    problems = [
        f"a new {kind} has {listed(of)}" for kind, of in found.items() if "SELECT" not in of
    ]
    remedy = "GRANT SELECT ON each new mart to its readers, once it is published"
    return verdict_of(problems, "a new table and view have them", bad="warn", remedy=remedy)


def _view(view: str, table: str, *, kept: ddl.Kept) -> str:
    query = f'SELECT "V" FROM {table}'
    return ddl.create_view(view, query, columns=["v"], comment="", column_comments={}, kept=kept)


def copy_grants_of_new_view(door: Scratch) -> Finding:
    """Create a view with COPY GRANTS where there is none, in a schema with future grants."""
    if refused := _future(door, "VIEW"):
        return skip(refused.summary, *refused.facts[:1], remedy="own the schema, to try it")
    table, view = door.table("COPIED_FROM", '"V" VARCHAR'), door.name("NEW_VIEW")
    door.first.run(_view(view, table, kept=ddl.KEPT))
    first = _readers_of(door, "VIEW", view)
    door.first.run(_view(view, table, kept=ddl.KEPT))
    again = _readers_of(door, "VIEW", view)
    if first and not again:
        return Finding("FAIL", ("a view that is replaced with COPY GRANTS loses them",), LOST)
    if first:
        return ok("with and without COPY GRANTS, a new view has the schema's future grants")
    return ok("a new view created with COPY GRANTS has no future grants; marts leaves it out")


def candidates_closed(door: Scratch) -> Finding:
    """Create a schema as the candidates' is, and find out who may use it; look at the real one."""
    new, real = door.closed_schema, door.candidates
    is_there = door.catalog.has_schema(real)
    problems = list[str]()
    rows = door.first.records(f"SHOW GRANTS ON SCHEMA {new.sql}")
    opened = readers(rows, door.role, new)
    remedy = ""
    for namespace, is_new in ((new, True), *([(real, False)] if is_there else [])):
        try:
            close_to_readers(
                namespace,
                is_new=is_new,
                records=door.first.records,
                execute=lambda sql, *_: door.first.execute(sql),
            )
        except LostAnswerError:
            raise
        except EngineError as error:
            problems += [error.summary, *error.facts]
            remedy = error.hint or ""
    revoked = f"future grants of the database were revoked from {listed(opened)}"
    evidence = revoked if opened else "nobody else may use a new one"
    there = [f"nobody else may use {real}"] if is_there else []
    return verdict_of(problems, evidence, *there, bad="FAIL", remedy=remedy)


EXPERIMENTS = (
    *(
        Experiment(f"{which}_kept", f"{words} of a mart survive a publication", _survives(which))
        for which, words in {
            "masking_policy": "masking policies",
            "row_access_policy": "row access policies",
            "tags": "tags",
            "grants": "grants",
            "clustering": "clustering keys",
        }.items()
    ),
    Experiment("stream_kept", "streams on a mart survive a publication", stream_survives),
    Experiment(
        "search_optimization_kept",
        "search optimization of a mart survives a publication",
        search_optimization,
        refused="skip",
    ),
    Experiment("comments_kept", "comments survive a publication", comments_survive, refused="warn"),
    Experiment("view_comments", "a view's columns have comments", comments_of_views, "warn"),
    Experiment("clone_keeps", "an acknowledged reshape keeps what governs a mart", clone_keeps),
    Experiment("future_grants", "new marts get future grants", future_grants, refused="warn"),
    Experiment(
        "view_copy_grants",
        "a replaced view keeps its grants",
        copy_grants_of_new_view,
        refused="warn",
    ),
    Experiment("candidates_closed", "nobody reads unchecked candidates", candidates_closed),
)
"""The experiments on policies, tags, grants, comments and streams."""
