"""Policies, tags and grants of a table or view, read so that its replacement gets the same.

DML leaves all of them alone. What replaces a table has those of the clone's source: policies and
tags of its columns and its own; grants come with COPY GRANTS from what is replaced.
https://docs.snowflake.com/en/user-guide/security-column-intro
https://docs.snowflake.com/en/sql-reference/sql/create-clone
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import sqlglot.expressions as sge

from backends.snowflake_ddl import DIALECT, Kept, literal
from backends.snowflake_sql import Namespace
from marts.core.errors import EngineError

Records: TypeAlias = Callable[[str, str], Sequence[Mapping[str, Any]]]
"""Runs a query about something, and returns its rows by lower-case column name.

SHOW commands gain columns in new versions, so that positions say nothing.
"""

MASKING, ROW_ACCESS = "MASKING_POLICY", "ROW_ACCESS_POLICY"
GRANTEES = {
    "ROLE": "ROLE",
    "DATABASE_ROLE": "DATABASE ROLE",
    "APPLICATION_ROLE": "APPLICATION ROLE",
    "APPLICATION": "APPLICATION",
    "SHARE": "SHARE",
    "USER": "USER",
}
"""What SHOW GRANTS calls the kinds of grantees, and what GRANT calls them."""
OF_VIEWS = ("SELECT", "REFERENCES")
"""The privileges that a view and a table have in common."""
ENCLOSING = ("ACCOUNT", "DATABASE", "SCHEMA")
"""The levels from which a table inherits tags."""

IDENTIFIER = r'"(?:[^"]|"")+"|[\w$]+'
NOT_CODE = re.compile(r"'(?:[^'\\]|''|\\.)*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
POLICY = re.compile(
    r"\b(?:MASKING|PROJECTION|ROW\s+ACCESS|AGGREGATION|JOIN|PRIVACY|STORAGE\s+LIFECYCLE)"
    r'\s+POLICY\s+["#\w]',
    re.IGNORECASE,
)
USING = re.compile(
    rf"\bMASKING\s+POLICY\s+(?:{IDENTIFIER}|\.)+\s+USING\s*"
    rf"\(\s*((?:{IDENTIFIER})(?:\s*,\s*(?:{IDENTIFIER}))*)\s*\)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Policy:
    """A policy, with its qualified name as SQL, on a column or (None) a whole table or view.

    `arguments` are the columns that it is given besides, or on which a row access policy is.
    """

    kind: str
    name: str
    column: str | None
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tag:
    """A tag, with its qualified name as SQL, of a column or (None) of a whole table or view."""

    name: str
    value: str
    column: str | None


@dataclass(frozen=True)
class Grant:
    """A privilege of a grantee: the words after TO, as SQL."""

    privilege: str
    grantee: str
    with_grant_option: bool = False


@dataclass(frozen=True)
class Governance:
    """What governs a table or view, except its ownership. Names of columns are the catalog's.

    `clustering` has the expressions by which a table is clustered, as SQL; empty if it is not.
    """

    policies: tuple[Policy, ...] = ()
    tags: tuple[Tag, ...] = ()
    grants: tuple[Grant, ...] = ()
    is_secure: bool = False
    clustering: str = ""

    @property
    def columns(self) -> frozenset[str]:
        """The columns that have a policy or a tag."""
        named = [each.column for each in self.policies] + [each.column for each in self.tags]
        return frozenset(name for name in named if name is not None)


def governance(
    namespace: Namespace, name: str, kind: str, records: Records, *, clustering: str | None = None
) -> Governance:
    """Return what governs a table or view that exists; `kind` is "table" or "view".

    `clustering` is its CLUSTERING_KEY in the catalog.
    It takes two statements, and up to three more where there are policies or tags. Raises
    EngineError if the role may not see all of them: they would be lost.
    """
    relation = namespace.qualified(name).sql(DIALECT)
    kind, argument = kind.upper(), literal(relation)
    (row,) = records(f"SELECT GET_DDL('{kind}', {argument}, TRUE) AS \"ddl\"", name)
    ddl = NOT_CODE.sub("''", row["ddl"])
    if "#UNKNOWN_POLICY" in ddl.upper() or "#UNKNOWN_TAG" in ddl.upper():
        raise _hidden(relation)
    policies, tags, count = tuple[Policy, ...](), tuple[Tag, ...](), len(POLICY.findall(ddl))
    if count:
        arguments = f"REF_ENTITY_NAME => {argument}, REF_ENTITY_DOMAIN => '{kind}'"
        rows = _function(namespace, "POLICY_REFERENCES", arguments, records, name)
        policies = tuple(_policies(rows, _using(ddl)))
        if len(policies) != count:
            raise _hidden(relation)
    if re.search(r"\bTAG\s*\(", ddl, re.IGNORECASE):
        # The domain of a view's tags is TABLE, too.
        tags = tuple(
            tag
            for function in ("TAG_REFERENCES", "TAG_REFERENCES_ALL_COLUMNS")
            for tag in _tags(_function(namespace, function, f"{argument}, 'TABLE'", records, name))
        )
    rows = records(f"SHOW GRANTS ON {kind} {relation}", name)
    secure = bool(re.match(r"\s*CREATE\s+(OR\s+REPLACE\s+)?SECURE\b", ddl, re.IGNORECASE))
    key = re.fullmatch(r"LINEAR\s*\((.*)\)", clustering or "", re.IGNORECASE | re.DOTALL)
    expressions = key[1] if key else clustering or ""
    return Governance(policies, tags, tuple(_grants(rows, namespace)), secure, expressions)


def of_its_columns(
    namespace: Namespace, name: str, kind: str, records: Records, *, wanted: Governance
) -> Governance:
    """Return the policies and tags of the columns that are `wanted` to have some.

    Those that the role may not see are not among them: nothing is replaced, and Snowflake refuses a
    second masking policy of a column. It takes a statement for policies, and one for tags.
    """
    argument = literal(namespace.qualified(name).sql(DIALECT))
    policies, tags = list[Policy](), list[Tag]()
    if wanted.policies:
        arguments = f"REF_ENTITY_NAME => {argument}, REF_ENTITY_DOMAIN => '{kind.upper()}'"
        policies += _policies(
            _function(namespace, "POLICY_REFERENCES", arguments, records, name), {}
        )
    if wanted.tags:
        arguments = f"{argument}, 'TABLE'"
        tags += _tags(_function(namespace, "TAG_REFERENCES_ALL_COLUMNS", arguments, records, name))
    return Governance(
        policies=tuple(each for each in policies if each.column in wanted.columns),
        tags=tuple(each for each in tags if each.column in wanted.columns),
    )


def _hidden(relation: str) -> EngineError:
    return EngineError(
        f"{relation} has policies or tags that the role may not see; replacing it would drop them",
        hint="GRANT APPLY ON … POLICY … TO ROLE …, and APPLY ON TAG …, for each of them",
    )


def _function(
    namespace: Namespace, function: str, arguments: str, records: Records, name: str
) -> Sequence[Mapping[str, Any]]:
    schema = f"{within(namespace)}INFORMATION_SCHEMA"
    return records(f"SELECT * FROM TABLE({schema}.{function}({arguments}))", name)  # noqa: S608


def _policies(
    rows: Sequence[Mapping[str, Any]], using: Mapping[str, tuple[str, ...]]
) -> Iterator[Policy]:
    for row in rows:
        if row["tag_name"] is not None:
            # It comes with its tag.
            continue
        column = row["ref_column_name"]
        name = _dotted(row["policy_db"], row["policy_schema"], row["policy_name"])
        if row["policy_kind"] == MASKING:
            # REF_ARG_COLUMN_NAMES is null for it.
            arguments = using.get(column, ())
        else:
            arguments = tuple(json.loads(row["ref_arg_column_names"] or "[]"))
        yield Policy(row["policy_kind"], name, column, arguments)


def _using(ddl: str) -> dict[str, tuple[str, ...]]:
    """Return the columns of each USING, by the first, which is the masked one."""
    lists = [re.findall(IDENTIFIER, found[1]) for found in USING.finditer(ddl)]
    named = [[unquoted(each) for each in columns] for columns in lists]
    return {first: tuple(rest) for first, *rest in named}


def _tags(rows: Sequence[Mapping[str, Any]]) -> Iterator[Tag]:
    for row in rows:
        # A column is tagged by its table's tags as well.
        of_column = row["column_name"] is not None
        if row["level"] == "COLUMN" if of_column else row["level"] not in ENCLOSING:
            name = _dotted(row["tag_database"], row["tag_schema"], row["tag_name"])
            yield Tag(name, row["tag_value"], row["column_name"])


def _grants(rows: Sequence[Mapping[str, Any]], namespace: Namespace) -> Iterator[Grant]:
    for row in rows:
        if row["privilege"] != "OWNERSHIP":
            yield Grant(
                row["privilege"],
                grantee(row["granted_to"], row["grantee_name"], namespace),
                str(row["grant_option"]).lower() == "true",
            )


def grantee(kind: str, name: str, namespace: Namespace) -> str:
    """Return a grantee of SHOW GRANTS as GRANT and REVOKE name it.

    The database of a database role may be missing: it is that of the object.
    """
    word = GRANTEES.get(kind, kind.replace("_", " "))
    if not kind.endswith("_ROLE"):
        return f"{word} {name if name.startswith(chr(34)) else quoted(name)}"
    parts = [unquoted(part) for part in re.findall(r'"(?:[^"]|"")+"|[^".]+', name)]
    if len(parts) == 1 and kind == "DATABASE_ROLE" and namespace.database:
        parts = [namespace.database, *parts]
    return f"{word} {_dotted(*parts)}"


def quoted(name: str) -> str:
    """Return a quoted identifier, spelled as it is."""
    return sge.to_identifier(name, quoted=True).sql(DIALECT)


def within(namespace: Namespace) -> str:
    """Return the start of a qualified name in the namespace's database."""
    return f"{quoted(namespace.database)}." if namespace.database else ""


def _dotted(*names: str) -> str:
    return ".".join(map(quoted, names))


def unquoted(name: str) -> str:
    """Return an identifier as the catalog spells it, less its quotes; otherwise as it is."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def gone(found: Governance, columns: Collection[str]) -> tuple[str, ...]:
    """Return a line for each policy and tag that goes with a column; `columns` are those to be."""
    kept = {column.upper() for column in columns}
    lines = [
        f"masking policy {each.name} goes with column {each.column}"
        for each in found.policies
        if each.kind == MASKING and each.column and each.column.upper() not in kept
    ]
    lines += [
        f"tag {each.name} goes with column {each.column}"
        for each in found.tags
        if each.column is not None and each.column.upper() not in kept
    ]
    return tuple(lines)


def carried(
    found: Governance, columns: Collection[str], *, about: str, in_place: bool = False
) -> Governance:
    """Return what is left of a governance on these columns.

    Raises EngineError if a policy needs a column that is gone; or, unless the table or view stays
    `in_place`, if a policy is of a kind that cannot be put on. `about` names the table or view.
    """
    kept = {column.upper() for column in columns}
    policies = [p for p in found.policies if p.column is None or p.column.upper() in kept]
    facts = [
        f"{each.name} needs column {column}, which is gone"
        for each in policies
        for column in each.arguments
        if column.upper() not in kept
    ]
    facts += [
        f"{each.name} is of kind {each.kind.replace('_', ' ').lower()}"
        for each in found.policies
        if each.kind not in (MASKING, ROW_ACCESS) and not in_place
    ]
    if facts:
        raise EngineError(
            f"policies of {about} could not be kept; nothing was published",
            *facts,
            hint="keep the columns, or let the policies' owner take these off first",
        )
    tags = [each for each in found.tags if each.column is None or each.column.upper() in kept]
    return replace(found, policies=tuple(policies), tags=tuple(tags))


def put_on(found: Governance, relation: str, kind: str = "table") -> list[str]:
    """Return the statements that put policies and tags on a table or view.

    A clone of it has them as well, and is clustered as it is.
    """
    alter, statements = f"ALTER {kind.upper()} {relation}", list[str]()
    if found.clustering:
        statements.append(f"{alter} CLUSTER BY ({found.clustering})")
    for policy in found.policies:
        if policy.column is None:
            columns = _listed(policy.arguments)
            statements.append(f"{alter} ADD ROW ACCESS POLICY {policy.name} ON {columns}")
        else:
            column = quoted(policy.column)
            masking = f"SET MASKING POLICY {policy.name}{_using_clause(policy)}"
            statements.append(f"{alter} MODIFY COLUMN {column} {masking}")
    for tag in found.tags:
        column = f" MODIFY COLUMN {quoted(tag.column)}" if tag.column is not None else ""
        statements.append(f"{alter}{column} SET TAG {tag.name} = {literal(tag.value)}")
    return statements


def granted(found: Governance, relation: str, kind: str) -> list[str]:
    """Return the statements that grant the same on a relation of this kind.

    A view has fewer privileges than a table; the others are left out.
    """
    return [
        f"GRANT {each.privilege} ON {kind.upper()} {relation} TO {each.grantee}"
        + (" WITH GRANT OPTION" if each.with_grant_option else "")
        for each in found.grants
        if kind.upper() == "TABLE" or each.privilege in OF_VIEWS
    ]


def kept_by_view(found: Governance, columns: Sequence[str]) -> Kept:
    """Return what a view with these columns keeps of one with a governance that can be put on it.

    Columns may be spelled in any case.
    """
    rows = [
        f"WITH ROW ACCESS POLICY {each.name} ON {_listed(each.arguments)}\n"
        for each in found.policies
        if each.column is None
    ]
    tags = _tag_clause([each for each in found.tags if each.column is None], "", "\n")
    of_columns = {name: _column_clauses(found, name.upper()) for name in columns}
    return Kept(of_columns, "".join(rows) + tags, found.is_secure)


def _column_clauses(found: Governance, column: str) -> str:
    masking = [
        f" WITH MASKING POLICY {each.name}{_using_clause(each)}"
        for each in found.policies
        if each.column == column
    ]
    return "".join(masking) + _tag_clause([each for each in found.tags if each.column == column])


def _tag_clause(tags: Sequence[Tag], before: str = " ", after: str = "") -> str:
    values = ", ".join(f"{each.name} = {literal(each.value)}" for each in tags)
    return f"{before}WITH TAG ({values}){after}" if tags else ""


def _using_clause(policy: Policy) -> str:
    if policy.column is None or not policy.arguments:
        return ""
    return f" USING {_listed((policy.column, *policy.arguments))}"


def _listed(columns: Sequence[str]) -> str:
    return f"({', '.join(map(quoted, columns))})"
