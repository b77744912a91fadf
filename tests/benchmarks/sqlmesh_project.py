"""Write the dbt project as one of SQLMesh: the same SQL, the same checks as audits.

SQLMesh's own reader of dbt projects would need dbt. Files of `sqlmesh/` are taken as they are.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from string import Template
from typing import Any

import yaml  # type: ignore[import-untyped]

HERE = Path(__file__).parent
DBT, SQLMESH = HERE / "dbt", HERE / "sqlmesh"
REF = re.compile(r"\bref\('(\w+)'\)")
CALL = re.compile(r"(?:\{\{ )?\b(ref|source|as_of)\(([^)]*)\)(?: \}\})?")


@dataclass(frozen=True)
class Check:
    """One test of `schema.yml`, of a column or of a table."""

    kind: str
    column: str
    arguments: Mapping[str, Any]
    warns: bool


def sql_of(text: str, as_of: date, *, this: str = "", schema: str = "main.") -> str:
    """Return dbt's SQL without its calls; the model `this` becomes SQLMesh's `@this_model`."""

    def named(call: re.Match[str]) -> str:
        if call[1] == "as_of":
            return f"DATE '{as_of}'"
        table = re.findall(r"'(\w+)'", call[2])[-1]
        if table == this:
            return "@this_model"
        return f"raw.main.{table}" if call[1] == "source" else f"{schema}{table}"

    return CALL.sub(named, text)


def models() -> Mapping[str, str]:
    """Return dbt's SQL of each model."""
    return {path.stem: path.read_text("utf-8") for path in sorted((DBT / "models").glob("*.sql"))}


def tables_of(kind: str) -> Mapping[str, list[Check]]:
    """Return the checks of each table that `schema.yml` describes: of its models, or sources."""
    schema = yaml.safe_load((DBT / "models" / "schema.yml").read_text("utf-8"))
    tables = schema["models"] if kind == "models" else schema["sources"][0]["tables"]
    return {table["name"]: list(_checks(table)) for table in tables}


def number_of_checks(kind: str) -> int:
    """Count what SQLMesh is asked to check; an audit of several columns counts for each."""
    return sum(len(checks) + len(singular_tests(name)) for name, checks in tables_of(kind).items())


def singular_tests(table: str) -> list[Path]:
    """Return dbt's tests that are queries about a table; they are named after it."""
    return sorted((DBT / "tests").glob(f"{table}__*.sql"))


def write_project(
    folder: Path, *, database: Path, sources: Path, as_of: date, sources_checked: bool
) -> None:
    """Write the files of a SQLMesh project, in place of those that are there."""
    for name in ("models", "audits"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    names = {"catalog": database.stem, "database": database, "sources": sources}
    config = Template((SQLMESH / "config.yaml").read_text("utf-8")).substitute(names)
    (folder / "config.yaml").write_text(config, "utf-8")
    shutil.copy(SQLMESH / "audits.sql", folder / "audits")
    for test in sorted((DBT / "tests").glob("*.sql")):
        body = sql_of(test.read_text("utf-8"), as_of, this=test.stem.split("__")[0])
        (folder / "audits" / test.name).write_text(f"AUDIT (name {test.stem});\n{body}", "utf-8")
    checked = tables_of("models")
    for name, text in models().items():
        head = _head(name, checked.get(name, []))
        (folder / "models" / f"{name}.sql").write_text(f"{head}\n{sql_of(text, as_of)}", "utf-8")
    external = [
        {
            "name": f"raw.main.{name}",
            "audits": [{"name": kind, **values} for kind, values in _audits(name, checks)]
            if sources_checked
            else [],
        }
        for name, checks in tables_of("sources").items()
    ]
    (folder / "external_models.yaml").write_text(yaml.safe_dump(external), "utf-8")


def _checks(table: Mapping[str, Any]) -> Iterator[Check]:
    for described in (table, *table["columns"]):
        column = "" if described is table else described["name"]
        for test in described.get("data_tests", []):
            ((kind, more),) = test.items() if isinstance(test, dict) else ((test, {}),)
            warns = more.get("config", {}).get("severity") == "warn"
            yield Check(kind, column, more.get("arguments", {}), warns)


def _head(model: str, checks: list[Check]) -> str:
    """Return the head of a model, with the tables that only its audits read."""
    audits = ",\n    ".join(_in_sql(*audit) for audit in _audits(model, checks))
    texts = [check.arguments.get("to", "") for check in checks]
    texts += [test.read_text("utf-8") for test in singular_tests(model)]
    read = {f"main.{name}" for text in texts for name in REF.findall(text) if name != model}
    return (
        f"MODEL (\n  name main.{model},\n  kind FULL,\n  depends_on [{', '.join(sorted(read))}],\n"
        f"  audits (\n    {audits}\n  )\n);"
    )


def _audits(table: str, checks: list[Check]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield audits by name, with their arguments in SQL; one for all that must not be null."""
    filled = [check.column for check in checks if check.kind == "not_null"]
    if filled:
        yield "not_null", {"columns": _list(filled)}
    for check in checks:
        if check.kind != "not_null":
            name, values = _audit(check)
            yield name, values | ({"blocking": "false"} if check.warns else {})
    for test in singular_tests(table):
        yield test.stem, {}


def _audit(check: Check) -> tuple[str, dict[str, str]]:
    column, given = {"column": check.column}, check.arguments
    match check.kind:
        case "unique" | "unique_together":
            columns = given.get("columns", [check.column])
            return "unique_combination_of_columns", {"columns": _list(columns)}
        case "accepted_values":
            return check.kind, column | {"is_in": _list(f"'{value}'" for value in given["values"])}
        case "in_range":
            names = {"min_value": "min_v", "max_value": "max_v"}
            return "accepted_range", column | {names[k]: str(v) for k, v in given.items()}
        case "expression":
            return "forall", {"criteria": _list([given["holds"]])}
        case "relationships" | "same_count":
            to = sql_of(given["to"], date.min)
            return check.kind, {"to": to} | (
                column | {"field": given["field"]} if "field" in given else {}
            )
    raise NotImplementedError(check.kind)


def _list(items: Any) -> str:
    return f"[{', '.join(items)}]"


def _in_sql(name: str, values: Mapping[str, str]) -> str:
    given = ", ".join(f"{key} := {value}" for key, value in values.items())
    return f"{name}({given})" if given else name
