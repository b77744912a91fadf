"""Snowflake statements that fakesnow cannot read, or reads wrongly: functions on sqlglot trees."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from snowflake.connector.errors import ProgrammingError
from sqlglot import Expr, exp, parse_one
from sqlglot.errors import SqlglotError

Name = tuple[str, ...]
"""Database, schema, and the name of a table."""
SUCCESS = "SELECT 'Statement executed successfully.' AS \"status\""
CLONE_COPY_GRANTS = re.compile(r"(\bCLONE\s+.+?)\s+COPY\s+GRANTS\s*$", re.IGNORECASE | re.DOTALL)
COLUMN_COMMENTS = re.compile(
    r"\s*ALTER\s+TABLE\s+(\S+)\s+(?:ALTER|MODIFY)\s+(.+)", re.IGNORECASE | re.DOTALL
)
COLUMN_COMMENT = re.compile(
    r"""\s*(?:COLUMN\s+)?("(?:[^"]|"")+"|\w+)\s+COMMENT\s+('(?:[^'\\]|''|\\.)*')\s*(?:,|$)""",
    re.IGNORECASE | re.DOTALL,
)


def parse(sql: str, read: str = "snowflake") -> Expr:
    """Parse a statement, also the two forms that sqlglot's Snowflake dialect lacks.

    They are `CREATE … CLONE … COPY GRANTS` (the grants are dropped: the emulator has none) and
    `ALTER TABLE … MODIFY COLUMN a COMMENT '…', COLUMN b COMMENT '…'`.
    """
    return _parse_column_comments(sql) or parse_one(CLONE_COPY_GRANTS.sub(r"\1", sql), read=read)


@lru_cache(maxsize=64)
def parsed(sql: str) -> Expr | None:
    """Return a statement's tree, which nobody may change; None if it cannot be parsed."""
    try:
        return parse(sql)
    except SqlglotError:
        return None


def parse_again(sql: str, read: str = "snowflake") -> Expr:
    """Parse a statement that may have been parsed before, which takes time; a tree of one's own."""
    tree = parsed(sql) if read == "snowflake" else None
    return tree.copy() if tree else parse(sql, read)


def _parse_column_comments(sql: str) -> Expr | None:
    statement = COLUMN_COMMENTS.fullmatch(sql)
    if not statement or COLUMN_COMMENT.sub("", statement[2]).strip():
        return None
    trees = [
        parse_one(f"ALTER TABLE {statement[1]} ALTER COLUMN {name} COMMENT {text}", "snowflake")
        for name, text in COLUMN_COMMENT.findall(statement[2])
    ]
    trees[0].set("actions", [action for tree in trees for action in tree.args["actions"]])
    return trees[0]


def comments_of(tree: Expr) -> list[exp.Comment]:
    """Return a statement's comments on relations and columns, as statements of their own."""
    match tree:
        case exp.Comment():
            return [tree]
        case exp.Alter():
            return list(_altered_with(tree))
        case exp.Create(kind="TABLE" | "VIEW"):
            return list(_created_with(tree))
    return []


def full_name(table: exp.Table, session: Any) -> Name:
    """Return a table's name, database and schema first, which may be the session's own."""
    return (*schema_name(table, session), _folded(table.this))


def schema_name(table: exp.Table, session: Any) -> Name:
    """Return the names of a table's database and schema, which may be the session's own."""
    own = (("catalog", session.database), ("db", session.schema))
    parts = ((table.args.get(part), current) for part, current in own)
    return tuple(_folded(part) if part else str(current) for part, current in parts)


def _folded(identifier: exp.Identifier) -> str:
    return str(identifier.name if identifier.quoted else identifier.name.upper())


def changed_by(tree: Expr | None) -> list[exp.Table]:
    """Return the tables or views whose rows or definition a statement changes."""
    match tree:
        case exp.Insert() | exp.Copy():
            found = [tree.this.find(exp.Table)]
        case exp.Update() | exp.Delete() | exp.Merge():
            found = [tree.this]
        case exp.TruncateTable():
            found = tree.expressions
        case exp.Create(kind="TABLE" | "VIEW"):
            found = [target(tree)]
        case exp.Drop(kind="TABLE" | "VIEW") | exp.Alter(kind="TABLE" | "VIEW"):
            found = [tree.this]
        case _:
            found = []
    return [table for table in found if isinstance(table, exp.Table)]


def target(tree: exp.Create) -> exp.Table:
    """Return the relation, or stage, that a statement creates."""
    table = tree.find(exp.Table)
    if table is None:
        raise LookupError(tree.sql("snowflake"))
    return table


def _altered_with(tree: exp.Alter) -> Iterator[exp.Comment]:
    for action in tree.args.get("actions") or ():
        found = action.find(exp.SchemaCommentProperty, exp.CommentColumnConstraint)
        match action:
            case exp.AlterColumn() if action.args.get("comment"):
                yield comment(tree.this, action.args["comment"].name, column=action.name)
            case exp.ColumnDef() if found:
                yield comment(tree.this, found.this.name, column=action.name)
            case exp.AlterSet() if found:
                yield comment(tree.this, found.this.name, kind=str(tree.args["kind"]))


def _says_nothing_besides(tree: Expr) -> bool:
    if isinstance(tree, exp.Alter):
        actions = tree.args.get("actions") or [tree]
        return all(
            isinstance(each, exp.AlterSet)
            or (isinstance(each, exp.AlterColumn) and each.args.get("comment"))
            for each in actions
        )
    return isinstance(tree, exp.Comment)


def _created_with(tree: exp.Create) -> Iterator[exp.Comment]:
    table = target(tree)
    if found := tree.find(exp.SchemaCommentProperty):
        yield comment(table, found.this.name, kind=str(tree.kind))
    for column in tree.this.expressions if isinstance(tree.this, exp.Schema) else ():
        if found := column.find(exp.CommentColumnConstraint):
            yield comment(table, found.this.name, column=column.name)


def comment(
    table: exp.Table, text: str, *, column: str | None = None, kind: str = "TABLE"
) -> exp.Comment:
    """Return a statement that comments a relation, or one of its columns."""
    about: Expr = table.copy()
    if column:
        parts = {part: table.args.get(part) for part in ("db", "catalog")}
        name = exp.to_identifier(column, quoted=True)
        about, kind = exp.Column(this=name, table=table.this, **parts).copy(), "COLUMN"
    return exp.Comment(this=about, kind=kind, expression=exp.Literal.string(text))


def without_comments(tree: Expr) -> Expr:
    """Return the statement less its comments; a success where it says nothing besides."""
    if _says_nothing_besides(tree):
        return parse_one(SUCCESS)
    if isinstance(tree, exp.Create) and tree.kind == "VIEW" and isinstance(tree.this, exp.Schema):
        _name_columns_in_query(tree)
    if isinstance(tree, exp.Create | exp.Alter):
        for found in list(tree.find_all(exp.SchemaCommentProperty)):
            found.pop()
        for constraint in list(tree.find_all(exp.ColumnConstraint)):
            if isinstance(constraint.kind, exp.CommentColumnConstraint):
                constraint.pop()
    return tree


def _name_columns_in_query(view: exp.Create) -> None:
    # DuckDB knows a view's columns, where they are commented, by the names in its query.
    names = [exp.to_identifier(column.name, quoted=True) for column in view.this.expressions]
    alias = exp.TableAlias(this=exp.to_identifier("_"), columns=names)
    view.set("this", view.this.this)
    view.set("expression", exp.select("*").from_(exp.Subquery(this=view.expression, alias=alias)))


def clone_source(tree: Expr) -> exp.Table | None:
    """Return the table that a statement clones."""
    if not (isinstance(tree, exp.Create) and tree.kind == "TABLE"):
        return None
    clone = tree.find(exp.Clone)
    return clone.this if clone else None


def as_select(tree: Expr) -> Expr:
    """Return `CREATE [OR REPLACE] TABLE t CLONE s` as a copy of the rows."""
    if source := clone_source(tree):
        return exp.Create(
            this=tree.this,
            kind="TABLE",
            replace=tree.args.get("replace"),
            exists=tree.args.get("exists"),
            expression=exp.select("*").from_(source),
        )
    return tree


def merged_into(tree: Expr) -> str | None:
    """Return the database of a MERGE, of which fakesnow's first step is this statement."""
    if not (isinstance(tree, exp.Create) and target(tree).name == "MERGE_CANDIDATES"):
        return None
    return next((table.catalog for table in tree.find_all(exp.Table) if table.catalog), None)


def hashed_by_duckdb(tree: Expr) -> Expr:
    """Let HASH_AGG(a, b) be the sum of the rows' hashes, of which DuckDB's depend on the types."""
    for call in list(tree.find_all(exp.HashAgg)):
        texts = ", ".join(map(_same_text, [call.this, *call.expressions]))
        total = f"COALESCE(CAST(SUM(HASH({texts})) % 9223372036854775807 AS BIGINT), 0)"
        call.replace(parse_one(total, read="duckdb"))
    return tree


def _same_text(value: Expr) -> str:
    sql = value.sql("duckdb")
    text = f"CAST({sql} AS TEXT)"
    has_scale = f"TYPEOF({sql}) LIKE 'DECIMAL%' AND NOT TYPEOF({sql}) LIKE '%,0)'"
    # fakesnow forgets what to trim unless it is trimmed from a CAST.
    whole = f"RTRIM(CAST(RTRIM({text}, '0') AS TEXT), '.')"
    return f"CASE WHEN {has_scale} THEN {whole} ELSE {text} END"


def refuse_division_by_zero(tree: Expr) -> Expr:
    """Let `a / 0` raise, as it does on Snowflake, whatever the types."""
    for division in reversed(list(tree.find_all(exp.Div))):
        refused = exp.func("ERROR", exp.Literal.string("Division by zero"))
        zero = exp.EQ(this=exp.paren(division.expression), expression=exp.Literal.number(0))
        division.replace(exp.case().when(zero, refused).else_(division.copy()))
    return tree


def refuse_lower_case(tree: Expr, spelled_so: Callable[[list[str]], set[str]]) -> Expr:
    """Raise for a quoted name that is not upper-case, unless it is spelled so where it is defined.

    On Snowflake `"t1"` is not `"T1"`. `spelled_so` returns, of relations of these names, the names
    and those of their columns; the statement itself may define some, too.
    """
    quoted = [each for each in tree.find_all(exp.Identifier) if each.quoted]
    wrong = [each for each in quoted if each.name != each.name.upper()]
    if not wrong:
        return tree
    defined = {each.name for each in wrong if not isinstance(each.parent, exp.Column | exp.Table)}
    if isinstance(tree, exp.Create):
        defined.add(target(tree).name or target(tree).db)
    defined |= spelled_so([table.name for table in tree.find_all(exp.Table)])
    for each in wrong:
        if each.name in defined:
            continue
        name = f"'{(each.parent or each).sql('snowflake')}'"
        text, errno, sqlstate = f"invalid identifier {name}", 904, "42000"
        if isinstance(each.parent, exp.Table):
            text, errno, sqlstate = f"Object {name} does not exist.", 2003, "42S02"
        message = f"SQL compilation error:\n{text}"
        raise ProgrammingError(msg=message, errno=errno, sqlstate=sqlstate)
    return tree
