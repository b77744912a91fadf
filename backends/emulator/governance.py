"""Policies and tags as Snowflake records them: nothing is masked, no row is hidden."""

from __future__ import annotations

import json
import re
from typing import Any

from snowflake.connector.errors import ProgrammingError
from sqlglot import exp, parse_one

from backends.emulator.records import (
    ALTER,
    COLUMN,
    IDENTIFIER,
    LIST,
    NAME,
    STRING,
    TEXT,
    Relation,
    Session,
    answer,
    handles,
    literal,
    names,
    quoted,
)


@handles(
    rf"CREATE\s+(?:OR\s+REPLACE\s+)?(MASKING|ROW\s+ACCESS)\s+POLICY\s+{NAME}\s+AS\s*"
    r"(\(.*?\))\s*RETURNS\b.*"
)
def create_policy(session: Session, kind: str, name: str, signature: str) -> None:
    """Record a policy."""
    policy = session.relation(name)
    session.run(
        policy.database,
        "insert into _policies values ($1, $2, $3, $4)",
        policy.schema,
        policy.name,
        _kind(kind),
        signature,
    )


@handles(rf"DROP\s+(?:MASKING|ROW\s+ACCESS)\s+POLICY\s+(?:IF\s+EXISTS\s+)?{NAME}")
def drop_policy(session: Session, name: str) -> None:
    """Forget a policy."""
    policy = session.relation(name)
    where = "policy_schema = $1 and policy_name = $2"
    session.run(policy.database, f"delete from _policies where {where}", policy.schema, policy.name)


def _kind(words: str) -> str:
    return "_".join([*words.upper().split(), "POLICY"])


def _known_policy(session: Session, name: str) -> Relation:
    policy = session.relation(name)
    rows = session.run(
        policy.database,
        "select 1 from _policies where policy_schema = $1 and policy_name = $2",
        policy.schema,
        policy.name,
    )
    if not rows:
        message = f"SQL compilation error:\nPolicy '{name}' does not exist or not authorized."
        raise ProgrammingError(msg=message, errno=2003, sqlstate="02000")
    return policy


def _known_column(session: Session, table: Relation, column: str) -> str:
    (name,) = names(column)
    sql = (
        "select 1 from duckdb_columns() where database_name ilike $1 and schema_name ilike $2"
        " and table_name ilike $3 and column_name ilike $4"
    )
    if not session.run(table.database, sql, *table.parts, name):
        message = f"SQL compilation error: error line 0 at position -1\ninvalid identifier '{name}'"
        raise ProgrammingError(msg=message, errno=904, sqlstate="42000")
    return name


@handles(rf"{ALTER}{COLUMN}SET\s+MASKING\s+POLICY\s+{NAME}(?:\s+USING\s*{LIST})?")
def set_masking_policy(
    session: Session, table: str, column: str, policy: str, using: str | None
) -> None:
    """Put a masking policy on a column."""
    _put_policy(
        session,
        session.relation(table),
        _known_column(session, session.relation(table), column),
        "MASKING",
        policy,
        names(using or "")[1:],
    )


@handles(rf"{ALTER}{COLUMN}UNSET\s+MASKING\s+POLICY")
def unset_masking_policy(session: Session, table: str, column: str) -> None:
    """Take the masking policy off a column."""
    found = session.relation(table)
    session.run(
        found.database,
        "delete from _policy_refs where table_schema = $1 and table_name = $2 and column_name = $3",
        found.schema,
        found.name,
        names(column)[0],
    )


@handles(rf"{ALTER}ADD\s+ROW\s+ACCESS\s+POLICY\s+{NAME}\s+ON\s*{LIST}")
def add_row_access_policy(session: Session, table: str, policy: str, columns: str) -> None:
    """Put a row access policy on a table or view."""
    _put_policy(session, session.relation(table), None, "ROW ACCESS", policy, names(columns))


def _put_policy(
    session: Session,
    table: Relation,
    column: str | None,
    kind: str,
    policy: str,
    arguments: list[str],
) -> None:
    session.run(
        table.database,
        "insert into _policy_refs values ($1, $2, $3, $4, $5, $6)",
        table.schema,
        table.name,
        column,
        _known_policy(session, policy).parts,
        _kind(kind),
        arguments,
    )


@handles(rf"DESC(?:RIBE)?\s+MASKING\s+POLICY\s+{NAME}")
def describe_policy(session: Session, name: str) -> str:
    """Return the arguments of a masking policy.

    https://docs.snowflake.com/en/sql-reference/sql/desc-masking-policy
    """
    policy = _known_policy(session, name)
    rows = session.run(
        policy.database,
        "select policy_name, signature, null, null from _policies"
        " where policy_schema = $1 and policy_name = $2",
        policy.schema,
        policy.name,
    )
    return answer(dict.fromkeys(("name", "signature", "return_type", "body"), TEXT), rows)


@handles(
    rf"CREATE\s+(?:OR\s+REPLACE\s+)?TAG\s+(?:IF\s+NOT\s+EXISTS\s+)?{NAME}"
    rf"(?:\s+ALLOWED_VALUES\s+({STRING}(?:\s*,\s*{STRING})*))?"
)
def create_tag(session: Session, name: str, allowed: str | None, *_: Any) -> None:
    """Record a tag; any may be set nevertheless."""
    tag = session.relation(name)
    listed = json.dumps(re.findall(STRING, allowed)) if allowed else None
    sql = "insert into _tags values ($1, $2, $3)"
    session.run(tag.database, sql, tag.schema, tag.name, listed)


@handles(rf"DROP\s+TAG\s+(?:IF\s+EXISTS\s+)?{NAME}")
def drop_tag(session: Session, name: str) -> None:
    """Forget a tag."""
    tag = session.relation(name)
    sql = "delete from _tags where tag_schema = $1 and tag_name = $2"
    session.run(tag.database, sql, tag.schema, tag.name)


SHOWN_TAGS = dict.fromkeys(("name", "database_name", "schema_name", "allowed_values"), TEXT)


@handles(rf"SHOW\s+TAGS\s+LIKE\s+{STRING}\s+IN\s+SCHEMA\s+{NAME}")
def show_tags(session: Session, pattern: str, name: str) -> str:
    """Return a schema's tags whose names match, whatever their case.

    https://docs.snowflake.com/en/sql-reference/sql/show-tags
    """
    schema = session.schema(name)
    rows = session.run(
        schema.database,
        "select tag_name, $3, tag_schema, allowed_values from _tags"
        " where tag_schema = $1 and tag_name ilike $2",
        schema.schema,
        pattern,
        schema.database,
    )
    return answer(SHOWN_TAGS, rows)


@handles(rf"{ALTER}(?:{COLUMN})?SET\s+TAG\s+{NAME}\s*=\s*{STRING}")
def set_tag(session: Session, table: str, column: str | None, tag: str, value: str) -> None:
    """Put a tag on a table, a view or a column."""
    text = parse_one(f"'{value}'", "snowflake").name
    relation = session.relation(table)
    known = _known_column(session, relation, column) if column else None
    _put_tag(session, relation, known, tag, text)


def _put_tag(session: Session, table: Relation, column: str | None, tag: str, value: str) -> None:
    session.run(
        table.database,
        "insert into _tag_refs values ($1, $2, $3, $4, $5)",
        table.schema,
        table.name,
        column,
        session.relation(tag).parts,
        value,
    )


POLICY_REFERENCES = dict.fromkeys(
    (
        *("POLICY_DB", "POLICY_SCHEMA", "POLICY_NAME", "POLICY_KIND", "REF_COLUMN_NAME"),
        *("REF_ARG_COLUMN_NAMES", "TAG_NAME", "POLICY_STATUS"),
    ),
    TEXT,
)
TAG_REFERENCES = dict.fromkeys(
    ("TAG_DATABASE", "TAG_SCHEMA", "TAG_NAME", "TAG_VALUE", "LEVEL", "COLUMN_NAME"), TEXT
)
FUNCTION = rf"SELECT\s+\*\s+FROM\s+TABLE\(\s*(?:{IDENTIFIER}\.)?INFORMATION_SCHEMA\."


@handles(
    rf"{FUNCTION}POLICY_REFERENCES\(\s*REF_ENTITY_NAME\s*=>\s*{STRING}\s*,"
    r"\s*REF_ENTITY_DOMAIN\s*=>\s*'\w+'\s*\)\)"
)
def policy_references(session: Session, table: str) -> str:
    """Return the policies of a table or view; there is an error where there are none."""
    rows = session.about(
        session.relation(table),
        "select policy_name, policy_kind, column_name, arguments from _policy_refs",
    )
    return answer(
        POLICY_REFERENCES,
        [
            (*name, kind, column, None if column else json.dumps(arguments), None, "ACTIVE")
            for name, kind, column, arguments in rows
        ],
    )


@handles(rf"{FUNCTION}TAG_REFERENCES(_ALL_COLUMNS)?\(\s*{STRING}\s*,\s*'TABLE'\s*\)\)")
def tag_references(session: Session, of_columns: str | None, table: str) -> str:
    """Return the tags of a table or view, or those of its columns."""
    rows = session.about(
        session.relation(table), "select tag_name, tag_value, column_name from _tag_refs"
    )
    return answer(
        TAG_REFERENCES,
        [
            (*name, value, "COLUMN" if column else "TABLE", column)
            for name, value, column in rows
            if bool(column) == bool(of_columns)
        ],
    )


@handles(rf"SELECT\s+GET_DDL\(\s*'(TABLE|VIEW)'\s*,\s*{STRING}\s*,\s*TRUE\s*\)\s+AS\s+\"ddl\"")
def get_ddl(session: Session, kind: str, table: str) -> str:
    """Return the statement that would create a table or view: the clauses about governance only."""
    found = session.relation(table)
    secure = session.run(
        found.database,
        "select 1 from _fs_created where (created_schema, created_name, secure) = ($1, $2, 'YES')",
        found.schema,
        found.name,
    )
    clauses: dict[str | None, str] = {}
    for column, name, arguments, policy in session.about(
        found, "select column_name, policy_name, arguments, policy_kind from _policy_refs"
    ):
        kind_of_policy = policy.replace("_", " ")
        listed = [column, *arguments] if column else arguments
        using = f" {'USING' if column else 'ON'} ({', '.join(map(quoted, listed))})"
        clauses[column] = clauses.get(column, "") + (
            f" WITH {kind_of_policy} {'.'.join(map(quoted, name))}{using if arguments else ''}"
        )
    for column, name, value in session.about(
        found, "select column_name, tag_name, tag_value from _tag_refs"
    ):
        tag = f"{'.'.join(map(quoted, name))}={literal(value)}"
        clauses[column] = clauses.get(column, "") + f" WITH TAG ({tag})"
    own = clauses.pop(None, "")
    columns = ",\n".join(f"\t{quoted(str(column))}{text}" for column, text in clauses.items())
    start = f"create or replace {'secure ' if secure else ''}{kind.lower()}"
    text = f"{start} {'.'.join(map(quoted, found.parts))} (\n{columns}\n){own};"
    return answer({"ddl": TEXT}, [(text,)])


def put_clause(session: Session, table: Relation, column: str | None, clause: Any) -> None:
    """Put what a clause of CREATE says on a new table or view, or on its column."""
    match clause:
        case exp.MaskingPolicyColumnConstraint():
            using = [each.name for each in clause.expressions][1:]
            _put_policy(session, table, column, "MASKING", clause.this.sql("snowflake"), using)
        case exp.RowAccessProperty():
            on = [each.name for each in clause.expressions]
            _put_policy(session, table, None, "ROW ACCESS", clause.this.sql("snowflake"), on)
        case exp.Tags():
            for tag in clause.expressions:
                name = tag.this.sql("snowflake")
                _put_tag(session, table, column, name, tag.args["value"].name)
