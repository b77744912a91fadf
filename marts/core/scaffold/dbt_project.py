"""The sources and models of a dbt project as sources, as its manifest and catalog declare them.

Nothing is measured. A test of dbt becomes a declaration only if it says the same: it is an error,
of all rows, without a tolerance. Every other test is named in a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from marts.core.project.loading import RESERVED
from marts.core.scaffold import naming
from marts.core.scaffold.dbt_types import contract_type
from marts.core.scaffold.declarations import ZONE, NewCheck, NewColumn, NewSource

Node = Mapping[str, Any]
READ = ("model", "seed", "snapshot", "source")
"""The kinds of nodes that are tables or views."""
UNKNOWN = "dbt does not know the types of its columns: build it, then run `dbt docs generate`"
PLAIN = re.compile("[A-Za-z_][A-Za-z0-9_$]*")
FOLDED = re.compile("[A-Z_][A-Z0-9_$]*")
"""Names that need no quotes, and those that need none where the others are folded to upper case."""


@dataclass(frozen=True)
class DbtProject:
    """What is taken over of a dbt project, and a line for each table that is not.

    `locations` has database, schema and table of each source.
    """

    name: str
    adapter: str
    sources: tuple[NewSource, ...]
    locations: Mapping[str, tuple[str, str, str]]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Test:
    """A generic test: its name, the node and column it is about, its arguments and settings."""

    name: str
    node: str
    column: str | None
    arguments: Mapping[str, Any]
    config: Mapping[str, Any]
    reads: tuple[str, ...]

    @property
    def severity(self) -> str | None:
        """`warn`, or None for an error."""
        return "warn" if str(self.config.get("severity", "")).lower() == "warn" else None

    @property
    def is_of_all_rows(self) -> bool:
        """Tell whether it looks at all rows, and tolerates none."""
        limits = (self.config.get("warn_if"), self.config.get("error_if"))
        return not self.config.get("where") and all(each in (None, "!= 0", ">0") for each in limits)


@dataclass
class _Table:
    """A node with its columns as the catalog and the manifest have them, and its tests."""

    node: Node
    name: str
    found: Mapping[str, Node]
    names: Mapping[str, str] = field(default_factory=dict)
    tests: list[_Test] = field(default_factory=list)

    def spelled(self, column: str | None) -> str | None:
        """Return a column as the catalog spells it."""
        bare = (column or "").strip('"`')
        alike = [each for each in self.found if each.lower() == bare.lower()]
        return bare if bare in self.found else alike[0] if len(alike) == 1 else None

    def tested(self, name: str, column: str) -> Iterator[_Test]:
        """Yield the tests of a name that are about a column, and say something of all rows."""
        for test in self.tests:
            is_about_it = test.name == name and self.spelled(test.column) == column
            if is_about_it and test.is_of_all_rows:
                yield test

    def holds(self, name: str, column: str) -> bool:
        """Tell whether a test of a column is an error."""
        return any(not test.severity for test in self.tested(name, column))


def dbt_project(manifest: Node, catalog: Node) -> DbtProject:
    """Return the sources that a dbt project's `manifest.json` and `catalog.json` declare."""
    nodes = {**manifest.get("sources", {}), **manifest.get("nodes", {})}
    known = {**catalog.get("sources", {}), **catalog.get("nodes", {})}
    read = _once({key: node for key, node in nodes.items() if _is_read(node)})
    names = _names(read)
    tables: dict[str, _Table] = {}
    skipped = []
    for key, node in read.items():
        columns = _columns_of(node, known.get(key, {}))
        if not columns:
            skipped.append(f"{names[key]}: {UNKNOWN}")
            continue
        spelled = naming.contract_names(list(columns), otherwise="column")
        tables[key] = _Table(node, names[key], columns, spelled)
    for test in _tests(nodes):
        if test.node in tables:
            tables[test.node].tests.append(test)
    adapter = str(manifest.get("metadata", {}).get("adapter_type") or "")
    sources = {key: _source(table, tables, adapter) for key, table in tables.items()}
    taken = {key: source for key, source in sources.items() if source.columns}
    skipped += [f"{each.name}: {UNKNOWN}" for each in sources.values() if not each.columns]
    return DbtProject(
        name=str(manifest.get("metadata", {}).get("project_name") or "dbt"),
        adapter=adapter,
        sources=tuple(sorted(taken.values(), key=lambda source: source.name)),
        locations={
            source.name: _location(tables[key].node, known.get(key, {}))
            for key, source in taken.items()
        },
        skipped=tuple(skipped),
    )


def _is_read(node: Node) -> bool:
    config = node.get("config", {})
    is_table = node.get("resource_type") in READ and config.get("enabled", True)
    return bool(is_table and config.get("materialized") not in ("ephemeral", "inline"))


def _once(nodes: Mapping[str, Node]) -> dict[str, Node]:
    """Return nodes without seeds that are declared as sources, too."""
    sources = {n.get("relation_name") for n in nodes.values() if n["resource_type"] == "source"}
    return {
        key: node
        for key, node in nodes.items()
        if node["resource_type"] != "seed" or node.get("relation_name") not in sources
    }


def _names(nodes: Mapping[str, Node]) -> dict[str, str]:
    """Return a contract's name for each node; that of a source has its group's if need be."""
    counts: dict[str, int] = {}
    for node in nodes.values():
        counts[node["name"]] = counts.get(node["name"], 0) + 1
    wanted = {
        key: node["name"]
        if counts[node["name"]] == 1 or node["resource_type"] != "source"
        else f"{node.get('source_name', 'source')}_{node['name']}"
        for key, node in nodes.items()
    }
    found: dict[str, str] = {}
    for key, name in wanted.items():
        taken = {*RESERVED, *found.values()}
        found[key] = naming.contract_names([name], otherwise="table", taken=taken)[name]
    return found


def _location(node: Node, known: Node) -> tuple[str, str, str]:
    there = known.get("metadata", {})
    table = node.get("identifier") or node.get("alias") or node["name"]
    return (
        str(there.get("database") or node.get("database") or ""),
        str(there.get("schema") or node.get("schema") or ""),
        str(there.get("name") or table),
    )


def spelled_location(parts: Sequence[str], adapter: str) -> str:
    """Return DB.SCHEMA.TABLE, with quotes around each part that needs them."""
    filled = [part for part in parts if part]
    plain = FOLDED if adapter == "snowflake" else PLAIN
    return ".".join(
        part if plain.fullmatch(part) else '"' + part.replace('"', '""') + '"' for part in filled
    )


def _columns_of(node: Node, known: Node) -> dict[str, Node]:
    """Return the columns of a node, as they are spelled: name, type, text."""
    declared = {name.lower(): each for name, each in node.get("columns", {}).items()}
    there = sorted(known.get("columns", {}).values(), key=lambda each: each.get("index", 0))
    found: dict[str, Node] = {}
    for each in there or node.get("columns", {}).values():
        own = declared.get(each["name"].lower(), {})
        kind = each.get("type") or own.get("data_type") or ""
        declared_kind = str(own.get("data_type") or "")
        found[each["name"]] = {
            # The catalog of some adapters leaves the digits of a number out.
            "type": declared_kind if "(" in declared_kind and "(" not in kind else kind,
            "doc": own.get("description") or each.get("comment") or "",
        }
    return found


# Tests


def _tests(nodes: Mapping[str, Node]) -> Iterator[_Test]:
    for node in nodes.values():
        about = node.get("test_metadata")
        config = node.get("config", {})
        if node.get("resource_type") != "test" or not about or not config.get("enabled", True):
            continue
        given = about.get("kwargs", {})
        given = {**given, **given.get("arguments", {})}
        reads = tuple(node.get("depends_on", {}).get("nodes", ()))
        space = about.get("namespace")
        yield _Test(
            f"{space}.{about['name']}" if space else about["name"],
            node.get("attached_node") or _owner(str(given.get("model", "")), reads, nodes),
            node.get("column_name") or given.get("column_name"),
            given,
            config,
            reads,
        )


def _owner(model: str, reads: Sequence[str], nodes: Mapping[str, Node]) -> str:
    """Return the node that a test is about, if dbt does not name it: that of a source, by its call.

    `model` has the call, such as source('erp', 'clients'), in a template.
    """
    called = re.search(r"\b(source|ref)\(([^)]*)\)", model)
    words = re.findall(r"'([^']*)'|\"([^\"]*)\"", called[2]) if called else []
    names = [one or other for one, other in words]
    for key in reads:
        node = nodes.get(key, {})
        is_source = node.get("resource_type") == "source"
        wanted = [node.get("source_name"), node.get("name")] if is_source else [node.get("name")]
        if names[-len(wanted) :] == wanted and is_source == (called and called[1] == "source"):
            return key
    return reads[0] if len(reads) == 1 else ""


def _source(table: _Table, tables: Mapping[str, _Table], adapter: str) -> NewSource:
    columns, left = [], []
    keys = _keys(table)
    for spelled, found in table.found.items():
        kind, note, is_moment = contract_type(found["type"], spelled, adapter)
        if not kind:
            left.append(f"left out: {spelled}: {note}")
            continue
        column = _column(table, spelled, kind, found, (spelled,) == keys)
        columns.append(
            replace(column, zone=ZONE if is_moment else None, notes=(note,) if note else ())
        )
    there = {column.name for column in columns}
    grain = tuple(table.names[key] for key in keys)
    relation = table.node.get("identifier") or table.node.get("alias") or table.node["name"]
    return NewSource(
        name=table.name,
        source_name=relation if relation.lower() != table.name else None,
        doc=_line(table.node.get("description")) or f"dbt's {table.node['unique_id']}.",
        grain=grain if {*grain} <= there else (),
        grain_notes=() if grain else ("dbt tests no key that is unique and not null",),
        columns=tuple(columns),
        checks=tuple(check for check in _checks(table, tables) if {*check.columns} <= there),
        left_out=(*left, *_not_taken_over(table, tables)),
    )


def _line(text: object) -> str:
    return " ".join(str(text or "").split())


def _keys(table: _Table) -> tuple[str, ...]:
    """Return the columns that dbt tests to be unique and not null; none if there are none."""
    for column in table.found:
        if table.holds("unique", column) and table.holds("not_null", column):
            return (column,)
    for test in table.tests:
        if test.name == COMBINATION and test.is_of_all_rows and not test.severity:
            columns = [table.spelled(each) for each in test.arguments[COMBINED]]
            if all(each and table.holds("not_null", each) for each in columns):
                return tuple(each for each in columns if each)
    return ()


COMBINATION, COMBINED = "dbt_utils.unique_combination_of_columns", "combination_of_columns"


def _column(
    table: _Table,
    spelled: str,
    kind: str,
    found: Node,
    is_key: bool,
) -> NewColumn:
    name = table.names[spelled]
    least, most = _bounds(table, spelled, kind)
    return NewColumn(
        name=name,
        type=kind,
        source_name=spelled if spelled.lower() != name else None,
        doc=_line(found["doc"]),
        null=not table.holds("not_null", spelled),
        unique=table.holds("unique", spelled) and not is_key,
        values=_values(table, spelled) if kind == "string" else (),
        at_least=least,
        at_most=most,
    )


def _values(table: _Table, column: str) -> tuple[str, ...]:
    for test in table.tested("accepted_values", column):
        values = test.arguments.get("values", ())
        if not test.severity and all(isinstance(each, str) for each in values):
            return tuple(values)
    return ()


def _bounds(table: _Table, column: str, kind: str) -> tuple[int | None, int | None]:
    is_number = kind.partition("(")[0] in ("int64", "decimal", "float64")
    for test in table.tested(RANGE, column):
        if is_number and _has_whole_bounds(test) and not test.severity:
            least, most = (test.arguments.get(word) for word in ENDS)
            return least, most
    return None, None


def _checks(table: _Table, tables: Mapping[str, _Table]) -> Iterator[NewCheck]:
    for test in table.tests:
        if not test.is_of_all_rows:
            continue
        column = table.spelled(test.column)
        if test.name == "relationships" and column:
            if to := _referred(test, tables):
                yield NewCheck(columns=(table.names[column],), to=to, severity=test.severity)
        elif test.name == "unique" and column and test.severity:
            yield NewCheck(columns=(table.names[column],), severity=test.severity)
        elif test.name == COMBINATION:
            spelled = [table.spelled(each) for each in test.arguments[COMBINED]]
            names = tuple(table.names[each] for each in spelled if each)
            if len(names) == len(spelled) and tuple(spelled) != _keys(table):
                yield NewCheck(columns=names, severity=test.severity)


def _referred(test: _Test, tables: Mapping[str, _Table]) -> str | None:
    """Return the "table.column" that a test of relationships means."""
    others = [each for each in test.reads if each != test.node] or [test.node]
    other = tables.get(others[0])
    column = other and other.spelled(str(test.arguments.get("field", "")))
    return f"{other.name}.{other.names[column]}" if other and column else None


RANGE, ENDS = "dbt_utils.accepted_range", ("min_value", "max_value")
TAKEN = ("unique", "not_null", "accepted_values", "relationships", RANGE)


def _not_taken_over(table: _Table, tables: Mapping[str, _Table]) -> Iterator[str]:
    """Yield a line for each test that says what no declaration here says."""
    for test in table.tests:
        if why := _why_not(test, table, tables):
            column = table.spelled(test.column)
            about = f" of {column or test.column}" if test.column else ""
            yield f"not taken over: dbt's test {test.name}{about}: {_line(why)}"


def _why_not(test: _Test, table: _Table, tables: Mapping[str, _Table]) -> str:
    """Return why a test is not declared, nothing if it is."""
    column = table.spelled(test.column)
    kinds = {"unique", "relationships", COMBINATION}
    reasons = {
        f"where {test.config.get('where')}": bool(test.config.get("where")),
        "it tolerates some rows": not test.is_of_all_rows,
        "marts has no check of this name: write a row_check or table_check": (
            test.name not in (*TAKEN, COMBINATION)
        ),
        "it is about no column that the catalog has": column is None and test.name in TAKEN,
        "it only warns": bool(test.severity) and test.name not in kinds,
        "its values are not texts": (
            test.name == "accepted_values" and not _values(table, column or "")
        ),
        "its bounds are not whole numbers, or exclusive": (
            test.name == RANGE and not _has_whole_bounds(test)
        ),
        "the other table is not here": (
            test.name == "relationships" and not _referred(test, tables)
        ),
    }
    return next((why for why, holds in reasons.items() if holds), "")


def _has_whole_bounds(test: _Test) -> bool:
    ends = [test.arguments.get(word) for word in ENDS]
    is_whole = all(each is None or type(each) is int for each in ends)
    return is_whole and bool(test.arguments.get("inclusive", True))
