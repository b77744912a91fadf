"""Experiments on privileges: each that a role needs, and the statement that grants it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from backends.snowflake_ddl import literal
from backends.snowflake_governance import grantee, quoted, within
from backends.snowflake_protection import Protections
from backends.snowflake_scratch import PREFIX, NoScratchError, Scratch, listed
from backends.snowflake_sql import Namespace
from marts.core.errors import UsageError
from marts.core.plan.state import STATE_TABLE
from marts.core.run.diagnosis import Experiment, Finding, ok, skip, verdict_of

NOT_SEEN = "it does not exist, or the role may not use it"


KINDS = ("TABLE", "VIEW")


def warehouse(door: Scratch) -> Finding:
    """Compute something."""
    named = door.first.value("SELECT CURRENT_WAREHOUSE()")
    if named is None:
        words = ("the session has no warehouse",)
        grant = f"GRANT USAGE ON WAREHOUSE {door.options.warehouse or 'NAME'} TO ROLE"
        return Finding("FAIL", words, f"pass --warehouse, or {grant} {quoted(door.role)}")
    refused = door.first.refusal("SELECT COUNT(*) FROM TABLE(GENERATOR(ROWCOUNT => 10))")
    problems = [refused.summary, *refused.facts] if refused else []
    remedy = f"GRANT USAGE ON WAREHOUSE {quoted(named)} TO ROLE {quoted(door.role)}"
    return verdict_of(problems, f"warehouse {named} computes", bad="FAIL", remedy=remedy)


def database(door: Scratch) -> Finding:
    """Find the database of the marts, and that of the sources."""
    named, option = door.database, "--database"
    try:
        found = {str(door.marts.database)}
        named, option = door.options.source_database or named, "--source-database"
        found |= {str(each.database) for each in door.source_schemas()}
    except UsageError as error:
        grant = f"GRANT USAGE ON DATABASE {quoted(str(named))} TO ROLE {quoted(door.role)}"
        remedy = f"{grant}, or pass another {option}"
        return Finding("FAIL", (error.summary, *error.facts), remedy)
    return ok(f"{listed(sorted(found))} can be used")


def create_schema(door: Scratch) -> Finding:
    """Create a schema, which the other experiments need, too."""
    try:
        found = door.schema
    except NoScratchError as error:
        grant = f"GRANT CREATE SCHEMA ON DATABASE {quoted(door.marts.database or '')}"
        return Finding(
            "FAIL", (error.summary, *error.facts), f"{grant} TO ROLE {quoted(door.role)}"
        )
    return ok(f"{found} was created, and is dropped at the end")


def _held(door: Scratch, namespace: Namespace) -> set[str]:
    """Return the privileges on a schema of the roles that the session has."""
    rows = door.first.records(f"SHOW GRANTS ON SCHEMA {namespace.sql}")
    ours = _in_session(door, {row["grantee_name"] for row in rows if row["granted_to"] == "ROLE"})
    return {row["privilege"] for row in rows if row["grantee_name"] in ours}


def _in_session(door: Scratch, roles: Collection[str]) -> set[str]:
    """Return those of some roles that the session has, by inheritance or as a second one, too."""
    if not roles:
        return set()
    names = sorted(roles)
    tests = ", ".join(f"IS_ROLE_IN_SESSION({literal(name)})" for name in names)
    found = door.first.row(f"SELECT {tests}")
    return {name for name, is_ours in zip(names, found, strict=True) if is_ours}


def _lacking(door: Scratch, namespace: Namespace, wanted: Sequence[str]) -> list[str]:
    held = _held(door, namespace)
    is_owner = bool(held & {"OWNERSHIP", "ALL PRIVILEGES"})
    return [] if is_owner else [each for each in wanted if each not in held]


def _grant(door: Scratch, namespace: Namespace, privileges: Sequence[str]) -> str:
    words = f"GRANT {', '.join(privileges)} ON SCHEMA {namespace.sql}"
    return f"{words} TO ROLE {quoted(door.role)}"


def marts_schema(door: Scratch) -> Finding:
    """Look at the role's privileges on the schema of the marts, and of the candidates."""
    namespaces = [each for each in (door.marts, door.candidates) if door.catalog.has_schema(each)]
    if not namespaces:
        return ok(f"{door.marts} does not exist; the first run creates it")
    wanted = ("USAGE", "CREATE TABLE", "CREATE VIEW")
    lacking = {each: _lacking(door, each, wanted) for each in namespaces}
    problems = [
        f"the role lacks {listed(words)} on {each}" for each, words in lacking.items() if words
    ]
    remedy = "; ".join(_grant(door, each, words) for each, words in lacking.items() if words)
    evidence = f"the role may create tables and views in {listed(namespaces)}"
    return verdict_of(problems, evidence, bad="FAIL", remedy=remedy)


def readers(door: Scratch) -> Finding:
    """Look who gets to read marts that are yet to be created: tables, and views."""
    if not door.catalog.has_schema(door.marts):
        return ok(f"{door.marts} does not exist yet")
    # Those on the schema, if there are any, hide those on its database.
    found = _future(door, f"SCHEMA {door.marts.sql}") or _future(
        door, f"DATABASE {quoted(door.marts.database or '')}"
    )
    grant = f"GRANT SELECT ON FUTURE {{}}S IN SCHEMA {door.marts.sql} TO {{}}"
    if not found:
        remedy = "; ".join(grant.format(kind, "ROLE …") for kind in KINDS)
        return skip("nobody has future grants: each new mart must be granted", remedy=remedy)
    everybody = sorted(set().union(*found.values()))
    lacking = [(kind, who) for kind in KINDS for who in everybody if who not in found.get(kind, ())]
    problems = [f"{who} gets to read no new mart that is a {kind.lower()}" for kind, who in lacking]
    remedy = "; ".join(grant.format(kind, who) for kind, who in lacking)
    evidence = f"new marts are readable to {listed(everybody)}"
    return verdict_of(problems, evidence, bad="warn", remedy=remedy)


def _future(door: Scratch, where: str) -> dict[str, set[str]]:
    """Return who may select from what will be created, by its kind."""
    found: dict[str, set[str]] = {}
    for row in door.first.records(f"SHOW FUTURE GRANTS IN {where}"):
        if row["privilege"] == "SELECT" and row["grant_on"] in KINDS:
            who = grantee(row["grant_to"], row["grantee_name"], door.marts)
            found.setdefault(row["grant_on"], set()).add(who)
    return found


def owned(door: Scratch) -> Finding:
    """Look whether the role owns the marts that are published."""
    if STATE_TABLE.upper() not in door.catalog.kinds(door.marts):
        return ok("nothing is published yet")
    state = door.marts.qualified(STATE_TABLE).sql("snowflake")
    owners = _owners(door, state)
    ours = _in_session(door, set(owners))
    foreign = {owner: names for owner, names in owners.items() if owner not in ours}
    problems = [f"{owner} owns {listed(names)}" for owner, names in foreign.items()]
    grants = [
        f"GRANT OWNERSHIP ON {kind} {door.marts.qualified(name).sql('snowflake')}"
        f" TO ROLE {quoted(door.role)} COPY CURRENT GRANTS"
        for names in foreign.values()
        for name in names
        for kind in [door.catalog.kinds(door.marts)[name].upper()]
    ]
    return verdict_of(
        problems, "the role owns all that is published", bad="FAIL", remedy="; ".join(grants)
    )


def _owners(door: Scratch, state: str) -> Mapping[str, list[str]]:
    tables = f"{within(door.marts)}INFORMATION_SCHEMA.TABLES"
    rows = door.first.rows(
        f"SELECT TABLE_OWNER, TABLE_NAME FROM {tables}"
        f" WHERE TABLE_SCHEMA = {literal(door.marts.schema)} AND TABLE_NAME IN"
        f" (SELECT UPPER(\"NAME\") FROM {state} WHERE \"KIND\" IN ('table', 'view'))"
        f" ORDER BY TABLE_NAME"
    )
    found: dict[str, list[str]] = {}
    for owner, name in rows:
        found.setdefault(str(owner), []).append(str(name))
    return found


def source_schema(door: Scratch) -> Finding:
    """Find the schemas of the sources, and what `marts load` would need in that of most."""
    schemas = door.source_schemas()
    if missing := [each for each in schemas if not door.catalog.has_schema(each)]:
        problems = tuple(f"schema {each}: {NOT_SEEN}" for each in missing)
        grants = "; ".join(_grant(door, each, ["USAGE"]) for each in missing)
        remedy = f"{grants}, or pass another --source-schema"
        return Finding("FAIL" if door.contracts else "warn", problems, remedy)
    if door.sources not in schemas:
        return ok(f"{listed(schemas)} can be used")
    lacking = _lacking(door, door.sources, ("CREATE TABLE", "CREATE STAGE"))
    if lacking:
        words = f"{door.sources} can be used; for `marts load` the role lacks {listed(lacking)}"
        return skip(words, remedy=_grant(door, door.sources, lacking))
    return ok(f"{door.sources} can be used, for `marts load` as well")


def personal_data(door: Scratch) -> Finding:
    """Look for the masking policies and tags that the settings name."""
    configured = door.options.personal
    found, problems, remedies = (
        Protections(configured, door.first.records, quoted(door.role)),
        [],
        [],
    )
    for kind in sorted(configured):
        try:
            found.refuse_missing([kind])
        except UsageError as error:
            problems.append(f"{error.summary}: for personal data ({kind})")
            remedies.append(error.hint or "")
    words = f"what the settings name for {listed(sorted(configured))} is there"
    said = words if configured else "the settings name no masking policy and no tag"
    return verdict_of(problems, said, bad="FAIL", remedy="; ".join(remedies))


def left_over(door: Scratch) -> Finding:
    """Look for schemas of doctors that were killed."""
    schemata = f"{within(door.marts)}INFORMATION_SCHEMA.SCHEMATA"
    rows = door.first.rows(f"SELECT SCHEMA_NAME FROM {schemata}")
    own = {each.schema for each in door.created}
    left = sorted(str(n) for (n,) in rows if str(n).startswith(PREFIX) and n not in own)
    drops = [f"DROP SCHEMA {Namespace(name, door.marts.database).sql}" for name in left]
    return verdict_of(
        [f"{name} is left of an earlier doctor, or another one is at work" for name in left],
        "none",
        bad="warn",
        remedy="; ".join(drops),
    )


EXPERIMENTS = (
    Experiment("warehouse", "the role may use a warehouse", warehouse),
    Experiment("database", "the role may use the database", database),
    Experiment("create_schema", "the role may create schemas", create_schema),
    Experiment("marts_schema", "the role may create marts", marts_schema),
    Experiment("ownership", "the role may publish into the marts that are there", owned),
    Experiment("readers", "readers get to read new marts", readers, refused="skip"),
    Experiment("source_schema", "the role may use the sources' schema", source_schema),
    Experiment("personal_data", "the role may protect columns with personal data", personal_data),
    Experiment("left_over", "no earlier doctor left anything", left_over, refused="warn"),
)
"""The experiments on privileges; the one that creates the scratch schema is among them."""
