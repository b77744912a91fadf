"""Published marts as sources of a dbt project: a `sources.yml`, with their columns and checks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from marts.core.authoring.checks import (
    Check,
    RelationshipCheck,
    RowCheck,
    UniqueCheck,
)
from marts.core.authoring.columns import Column
from marts.core.authoring.tables import Mart, checks_of

TYPES: Mapping[str, Mapping[str, str]] = {
    "duckdb": {"string": "varchar", "int64": "bigint", "float64": "double"},
    "snowflake": {"int64": "number(38,0)", "float64": "float", "timestamp": "timestamp_ntz"},
}
"""By engine: the names of types that are not those of contracts."""


def dbt_sources(
    marts: Sequence[Mart], *, package: str, engine: str, database: str | None, schema: str
) -> str:
    """Return a `sources.yml` of the marts that others may read.

    dbt tests what marts checks, as far as it has such a test; the others are named in comments.
    Without a database, dbt takes that of its own target.
    """
    read = [mart for mart in marts if not mart.is_temporary and not mart.is_intermediate]
    names = {mart.name for mart in read}
    lines = [
        "# Written by `marts ls --dbt`, for dbt 1.10.5 and later.",
        "version: 2",
        "",
        "sources:",
        f"  - name: {_text(package)}",
        f"    description: {_text(f'Marts of {package}, checked before they are published.')}",
        *([f"    database: {_text(database)}"] if database else []),
        f"    schema: {_text(schema)}",
        "    tables:" if read else "    tables: []",
    ]
    for mart in read:
        lines += _table(mart, package, names, TYPES[engine])
    return "\n".join(lines)


def _text(text: str) -> str:
    """Return a text as YAML, of which JSON is a part; dbt is not to take it for a template."""
    if any(brace in text for brace in ("{{", "{%", "{#")):
        text = f"{{% raw %}}{text}{{% endraw %}}"
    return json.dumps(text, ensure_ascii=False)


def _table(mart: Mart, package: str, names: set[str], types: Mapping[str, str]) -> Iterator[str]:
    yield f"      - name: {_text(mart.name)}"
    yield f"        description: {_text(' '.join(mart.comment.split()))}"
    checks = checks_of(mart)
    tests = {column.name: [*_tests(column, checks, package, names)] for column in mart.columns}
    told = {id(check) for found in tests.values() for _, covered in found for check in covered}
    others = [check.name for check in checks if id(check) not in told]
    if others:
        yield f"        # checked by marts alone: {', '.join(others)}"
    yield "        columns:"
    for column in mart.columns:
        yield f"          - name: {_text(column.name)}"
        if column.doc:
            yield f"            description: {_text(column.doc)}"
        kind = types.get(column.type, column.type.replace(" ", ""))
        yield f"            data_type: {_text(kind)}"
        if tests[column.name]:
            yield "            data_tests:"
            for lines, _ in tests[column.name]:
                yield from (f"              {line}" for line in lines)


Test = tuple[list[str], list[Check]]
"""The lines of a test, and the checks that it stands for."""


def _tests(
    column: Column, checks: Sequence[Check], package: str, names: set[str]
) -> Iterator[Test]:
    for check in checks:
        config = _config(check)
        if config is None:
            continue
        match check:
            case RowCheck(name=name) if name == f"{column.name}_not_null":
                yield _test("not_null", {}, config), [check]
            case RowCheck(name=name) if name == f"{column.name}_accepted_values":
                yield _test("accepted_values", {"values": list(column.values)}, config), [check]
            case UniqueCheck(columns=(name,), where=None) if name == column.name:
                yield _test("unique", {}, config), [check]
            case RelationshipCheck(column=name, where=None, to_where=None) if (
                name == column.name and check.to_table in names
            ):
                to = f"source('{package}', '{check.to_table}')"
                yield _test("relationships", {"to": to, "field": check.to_column}, config), [check]
            case _:
                continue


def _config(check: Check) -> dict[str, str] | None:
    """Return dbt's settings of a check's tolerance; None if it has none that are the same."""
    config = {"severity": "warn"} if check.severity == "warn" else {}
    if isinstance(check.threshold, int):
        if check.threshold:
            config |= {"warn_if": f">{check.threshold}", "error_if": f">{check.threshold}"}
        return config
    return None


def _test(name: str, arguments: Mapping[str, object], config: Mapping[str, str]) -> list[str]:
    if not arguments and not config:
        return [f"- {name}"]
    lines = [f"- {name}:"]
    for word, values in (("arguments", arguments), ("config", config)):
        if values:
            lines.append(f"    {word}:")
            lines += [
                f"      {key}: {json.dumps(value, ensure_ascii=False)}"
                for key, value in values.items()
            ]
    return lines
