"""What a project declares, as data."""

from __future__ import annotations

from marts.core.authoring.columns import names_in_source
from marts.core.authoring.queries import ExampleQuery
from marts.core.authoring.tables import Mart, Source, checks_of
from marts.core.project.loading import Declarations
from marts.core.run.artifacts import SCHEMA_VERSION, describe_check
from marts.core.run.files import Document


def manifest(project: Declarations) -> Document:
    """Return the declarations as data."""
    return {
        "schema_version": SCHEMA_VERSION,
        "sources": [describe_source(source) for source in project.sources.values()],
        "marts": [describe_mart(mart) for mart in project.marts.values()],
        "queries": [_describe_query(query) for query in project.queries.values()],
    }


def describe_source(source: Source) -> Document:
    """Return a source's declaration as data."""
    return {
        **_declared(source),
        "optional": source.optional,
        "source_name": source.source_name,
        "names_in_source": names_in_source(source.columns),
    }


def describe_mart(mart: Mart) -> Document:
    """Return a mart's declaration as data."""
    return {
        **_declared(mart),
        "tags": list(mart.tags),
        "group": None if mart.is_temporary else mart.group,
        "materialized": mart.materialized,
        "inputs": list(mart.inputs),
        "exempt": dict(mart.exempt),
    }


def _describe_query(query: ExampleQuery) -> Document:
    return {
        "name": query.name,
        "question": query.question,
        "inputs": list(query.inputs),
        "declared_at": query.location,
    }


def _declared(table: Source | Mart) -> Document:
    return {
        "name": table.name,
        "comment": table.comment,
        "grain": list(table.grain),
        "owner": table.owner,
        "columns": [
            {
                "name": column.name,
                "type": column.type,
                "null": column.null,
                "comment": column.doc or None,
                "personal": column.personal,
                "not_personal": column.not_personal or None,
            }
            for column in table.columns
        ],
        "checks": [describe_check(check) for check in checks_of(table)],
        "declared_at": table.location,
    }
