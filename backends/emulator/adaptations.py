"""What makes fakesnow 0.11 answer as Snowflake does: a function for each thing that it lacks.

Each adaptation replaces functions of fakesnow in this process, says what Snowflake does, and has a
test beside this file that fails when a new fakesnow needs it no longer. Production's SQL is
never written for the emulator's sake.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import Expr, exp
from sqlglot.errors import ParseError

from backends.emulator import catalog, lifecycle, records, sessions, statements
from backends.emulator.definitions import type_changes
from backends.emulator.errors import errors
from backends.emulator.patched import (
    arrow,
    copy_into,
    cursor,
    info_schema,
    server,
    stage,
    transforms,
)
from backends.emulator.rules import install_rules, rewrite, run_afterwards
from backends.emulator.time_travel import time_travel
from backends.emulator.transactions import overwriting, transactions


def unparsed_statements() -> None:
    """Read CLONE … COPY GRANTS and comments on several columns, which sqlglot does not parse.

    https://docs.snowflake.com/en/sql-reference/sql/create-table
    https://docs.snowflake.com/en/sql-reference/sql/alter-table-column
    """

    def parse_for_type(sql: str, read: str) -> Expr:
        # The server parses a statement once more, where an error would be HTTP 500.
        try:
            return statements.parse(sql, read)
        except ParseError:
            return exp.Command(this=sql.split(maxsplit=1)[0])

    cursor.parse_one = statements.parse_again
    server.parse_one = parse_for_type


def quoted_case() -> None:
    """Refuse "t1" where "T1" exists: quoted names are case-sensitive on Snowflake.

    https://docs.snowflake.com/en/sql-reference/identifiers-syntax
    """

    def spelled_so(self: Any, names: list[str]) -> set[str]:
        found = self._duck_conn.execute(
            "select unnest([table_name, column_name]) from duckdb_columns()"
            " where list_contains($1, table_name)"
            " union select unnest([database_name, schema_name]) from duckdb_schemas()"
            " where not internal",
            [names],
        )
        return {name for (name,) in found.fetchall()}

    rewrite(
        lambda tree, self: statements.refuse_lower_case(tree, lambda names: spelled_so(self, names))
    )


def division_by_zero() -> None:
    """Raise for a / 0, which DuckDB answers with an infinity or NULL."""
    rewrite(lambda tree, _: statements.refuse_division_by_zero(tree))


def exact_sums() -> None:
    """Leave the arguments of aggregates alone: fakesnow makes them doubles, and bad text NULL."""
    transforms.numeric_agg_implicit_cast = lambda tree: tree


def row_hashes() -> None:
    """Answer HASH_AGG: a number for all rows in any order; 0 for none.

    Equal numbers are equal whatever their precision and scale.
    https://docs.snowflake.com/en/sql-reference/functions/hash_agg
    """
    rewrite(lambda tree, _: statements.hashed_by_duckdb(tree))


def clones() -> None:
    """Let CREATE OR REPLACE TABLE … CLONE replace a table, and take the comments along.

    fakesnow forgets OR REPLACE. https://docs.snowflake.com/en/sql-reference/sql/create-clone
    """

    def copied(tree: Expr, self: Any) -> list[str]:
        source = statements.clone_source(tree)
        if source is None or not isinstance(tree, exp.Create):
            return []
        target = statements.target(tree)
        found = self._duck_conn.execute(
            "select null, comment from duckdb_tables()"
            " where (database_name, schema_name, table_name) = ($1, $2, $3) union all "
            "select column_name, comment from duckdb_columns()"
            " where (database_name, schema_name, table_name) = ($1, $2, $3)",
            [source.catalog or self._conn.database, source.db or self._conn.schema, source.name],
        ).fetchall()
        return [
            statements.comment(target, text, column=column).sql("duckdb")
            for column, text in found
            if text
        ]

    run_afterwards(copied)
    rewrite(lambda tree, _: statements.as_select(tree))


def comments() -> None:
    """Keep the comments of tables, views and columns, as DuckDB's own comments.

    fakesnow loses those of columns and views, and breaks at a quote in a table's.
    """
    transforms.extract_comment_on_table = lambda tree: tree
    run_afterwards(lambda tree, _: [each.sql("duckdb") for each in statements.comments_of(tree)])
    rewrite(lambda tree, _: statements.without_comments(tree))


def information_schema() -> None:
    """Fill INFORMATION_SCHEMA: SCHEMATA, views among TABLES, kinds, real times of creation."""
    creation, redirect = info_schema.per_db_creation_sql, transforms.information_schema_fs

    def with_views(database: str) -> str:
        store = records.STORE.substitute(database=database)
        return f"{creation(database)}{store}{catalog.VIEWS.substitute(database=database)}"

    def with_schemata(tree: Expr) -> Any:
        if (
            isinstance(tree, exp.Table)
            and f"{tree.db}.{tree.name}" == "INFORMATION_SCHEMA.SCHEMATA"
        ):
            return exp.table_("_FS_SCHEMATA", db="_FS_INFORMATION_SCHEMA", catalog=tree.catalog)
        return redirect(tree)

    def created(tree: Expr, self: Any) -> list[str]:
        if not (isinstance(tree, exp.Create) and tree.kind in ("TABLE", "VIEW")):
            return []
        table = statements.target(tree)
        return [
            catalog.CREATION.substitute(
                otherwise="ignore" if tree.args.get("exists") else "replace",
                database=table.catalog or self._conn.database,
                schema=table.db or self._conn.schema,
                name=table.name,
                transient="YES" if tree.find(exp.TransientProperty) else "NO",
                secure="YES" if tree.find(exp.SecureProperty) else "NO",
            )
        ]

    def rows(database: str, schema: str, name: str) -> int:
        table = exp.table_(name, db=schema, catalog=database, quoted=True).sql("duckdb")
        found = duck.cursor().execute(f"select count(*) from {table}").fetchone()
        return int(found[0]) if found else 0

    # DuckDB's own estimate counts deleted rows, too.
    duck = server.shared_fs.duck_conn
    duck.create_function("_fs_rows", rows, ["VARCHAR"] * 3, "BIGINT", side_effects=True)
    info_schema.per_db_creation_sql = with_views
    transforms.information_schema_fs = with_schemata
    run_afterwards(created)


def governance() -> None:
    """Record policies, tags, grants, keys and streams, and who loses them when."""
    rewrite(lifecycle.without_clauses)
    lifecycle.install()


def merges() -> None:
    """Let MERGE run in a session without a current schema, which fakesnow's own steps ask for."""
    run = cursor.FakeSnowflakeCursor._execute

    def in_some_schema(self: Any, tree: Expr, *args: Any) -> None:
        session, database = self._conn, statements.merged_into(tree)
        if database:
            # Else fakesnow writes into two of DuckDB's databases, which a transaction cannot.
            tree.args.pop("text_lengths", None)
        kept = session.database, session._schema
        if database:
            session.database, session._schema = database, "PUBLIC"
        try:
            run(self, tree, *args)
        finally:
            if database:
                session.database, session._schema = kept

    cursor.FakeSnowflakeCursor._execute = in_some_schema


def null_timestamps() -> None:
    """Send NULL timestamps as NULL, not as 1970-01-01."""
    to_struct = arrow.timestamp_to_sf_struct

    def with_nulls(values: pa.Array | pa.ChunkedArray) -> pa.Array:
        struct, nulls = to_struct(values), pc.is_null(values)
        if isinstance(nulls, pa.ChunkedArray):
            nulls = nulls.combine_chunks()
        parts = [part.fill_null(0) for part in struct.flatten()]
        return pa.StructArray.from_arrays(parts, fields=list(struct.type), mask=nulls)

    arrow.timestamp_to_sf_struct = with_nulls


def whole_numbers() -> None:
    """Send numbers as Snowflake does: unscaled, each column in the smallest integers that fit.

    It is the connector that makes decimals of them, of precision 38; doubles without
    arrow_number_to_decimal.
    """
    to_sf = server.to_sf

    def with_integers(table: pa.Table, columns: Any) -> pa.Table:
        table = table.combine_chunks()
        for number, column in enumerate(table.columns):
            if (found := _smallest_integers(column)) is not None:
                table = table.set_column(number, table.field(number).with_type(found.type), found)
        return to_sf(table, columns)

    server.to_sf = with_integers


def _smallest_integers(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    if pa.types.is_decimal128(column.type):
        digits = column.cast(pa.string())
        column = pc.replace_substring(digits, ".", "")
    elif not pa.types.is_integer(column.type):
        return None
    for size in (pa.int8(), pa.int16(), pa.int32(), pa.int64()):
        with suppress(pa.ArrowInvalid):
            return column.cast(size)
    return None


def stage_folders() -> None:
    """Let a stage have folders: PUT … @stage/folder, COPY INTO … FROM @stage/prefix.

    fakesnow takes the folder for a part of the stage's name, and knows no quotes around a path.
    https://docs.snowflake.com/en/sql-reference/sql/copy-into-table
    """
    parts, put = stage.parts_from_var, transforms.put_stage
    url, glob = copy_into.stage_url_from_var, copy_into._source_glob

    def put_into_folder(tree: Expr, *args: Any) -> Expr:
        if not isinstance(tree, exp.Put):
            return tree
        stage_path = tree.args["target"].name.strip("'")
        tree.set("target", exp.var(stage_path))
        located: Expr = put(tree, *args)
        info = located.args["put_stage_data"]["stageInfo"]
        folder = Path(info["location"], _folder(stage_path))
        folder.mkdir(parents=True, exist_ok=True)
        info["location"] = f"{folder}/"
        return located

    def stage_url(stage_path: str, *args: Any) -> str:
        found = url(stage_path, *args)
        return f"file://{found}{_folder(stage_path)}" if stage.is_internal(found) else found

    def files(source: str, connection: Any) -> Any:
        start = source.removeprefix("file://")
        folder = Path(start.rpartition("/")[0])
        if not stage.is_internal(folder):
            return glob(source, connection)
        found = sorted(str(path) for path in folder.rglob("*") if path.is_file())
        return [f"file://{path}" for path in found if path.startswith(start)]

    stage.parts_from_var = lambda var, *args, **kw: parts(var.partition("/")[0], *args, **kw)
    transforms.put_stage = put_into_folder
    copy_into.stage_url_from_var = stage_url
    copy_into._source_glob = files


def _folder(stage_path: str) -> str:
    return stage_path.partition("/")[2]


def temporary_tables() -> None:
    """Let a temporary table have a database and a schema; it ends with its session.

    Unlike on Snowflake, other sessions see it until then.
    https://docs.snowflake.com/en/user-guide/tables-temp-transient
    """
    rewrite(sessions.make_temporary_table)


def session_functions() -> None:
    """Answer CURRENT_ROLE() and its like, and SYSTEM$CANCEL_ALL_QUERIES(session), which cancels.

    The connector, too, is told its session's number, role and warehouse; a session's end drops its
    temporary stages.
    """
    rewrite(sessions.answer_functions)
    rewrite(sessions.note_temporary_stage)


def roles_in_session() -> None:
    """Answer IS_ROLE_IN_SESSION, which fakesnow lacks.

    https://docs.snowflake.com/en/sql-reference/functions/is_role_in_session
    """
    rewrite(sessions.answer_roles)


def session_parameters() -> None:
    """Answer SHOW PARAMETERS with those of the session, and with a schema's defaults.

    fakesnow knows two, which no login changes, and none of a schema.
    https://docs.snowflake.com/en/sql-reference/sql/show-parameters
    """
    rewrite(sessions.show_parameters)


def connecting_creates_nothing() -> None:
    """Let a session begin in a database or schema that does not exist, without creating it."""
    server.shared_fs.create_database_on_connect = False
    server.shared_fs.create_schema_on_connect = False


ADAPTATIONS = (
    unparsed_statements,
    quoted_case,
    session_functions,
    information_schema,
    governance,
    session_parameters,
    roles_in_session,
    clones,
    comments,
    merges,
    division_by_zero,
    exact_sums,
    row_hashes,
    null_timestamps,
    whole_numbers,
    stage_folders,
    temporary_tables,
    connecting_creates_nothing,
    type_changes,
    overwriting,
    time_travel,
    transactions,
    errors,
)


def adapt(databases: Iterable[str]) -> None:
    """Make fakesnow, in this process, answer as Snowflake does, and create databases."""
    install_rules()
    for adaptation in ADAPTATIONS:
        adaptation()
    for database in databases:
        server.shared_fs.connect().cursor().execute(f"CREATE DATABASE {database}")
