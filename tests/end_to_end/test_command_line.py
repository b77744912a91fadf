"""The command line: what each command prints and writes, in a pipe and on a terminal."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
import sqlglot

from support.engines import GRAPH
from support.paths import BUNDLED
from support.processes import Marts, marts_process, one_document
from support.terminals import left_by_its_reader, on_a_terminal

DONE, FAILED, ASKED_WRONGLY = 0, 1, 2
MARTS = GRAPH.order
PUBLIC = [name for name in MARTS if not GRAPH.project.marts[name].is_temporary]
SOURCES = ["fct_transactions", "dim_customer", "dim_merchant_category"]
ESCAPE = "\x1b"


@pytest.fixture(scope="module")
def piped_run(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """Return a finished run, its output in a pipe, on little memory and one thread."""
    words = ("run", "--memory-limit", "500MB", "--threads", "1")
    return marts_process(*words, cwd=tmp_path_factory.mktemp("piped"))


@pytest.fixture(scope="module")
def checked_json_run(
    tmp_path_factory: pytest.TempPathFactory,
) -> subprocess.CompletedProcess[str]:
    """Return a finished run that checked the sources first, and was asked for JSON."""
    words = ("run", "--json")
    return marts_process(*words, cwd=tmp_path_factory.mktemp("json"))


# run


def test_a_run_on_little_memory_and_one_thread_works(
    piped_run: subprocess.CompletedProcess[str],
) -> None:
    assert piped_run.returncode == DONE, piped_run.stderr
    assert piped_run.stderr == ""


def test_a_run_in_a_pipe_prints_its_date_and_one_plain_line_for_each_mart(
    piped_run: subprocess.CompletedProcess[str],
) -> None:
    first, *lines, last = piped_run.stdout.splitlines()
    assert ESCAPE not in piped_run.stdout
    assert first.startswith("as of 2025-06-30 · duckdb · ")
    built = [line.split()[1] for line in lines if re.match(r"(ok|warn) +\w+ ", line)]
    assert built[:3] == SOURCES
    assert sorted(built[3:]) == sorted(MARTS)
    assert "2,000 rows" in next(line for line in lines if "customer_360_profile" in line)
    said = re.match(
        rf"done  published {len(PUBLIC)} marts; (\d+) of (\d+) checks passed, (.*),", last
    )
    assert said, last
    assert (int(said[2]) - int(said[1]), said[3]) == (1, "1 acknowledged")
    assert int(said[2]) > 250


def test_a_run_on_a_terminal_shows_each_mart_in_colour(tmp_path: Path) -> None:
    code, printed = on_a_terminal("run", cwd=tmp_path)
    assert code == DONE, printed
    assert ESCAPE in printed
    assert "building" in printed
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed)
    for mart in MARTS:
        assert re.search(rf"(ok|warn) +{mart} +", text), text


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(called: Marts, tmp_path: Path) -> None:
    done = called("run", "--dry-run", "-s", "+metric_customer_ltv")
    assert done.returncode == DONE, done.stderr
    first, *steps = done.stdout.splitlines()
    assert first == "as of 2025-06-30; nothing is done:"
    assert [step.split()[1] for step in steps if "build" in step][-1] == "metric_customer_ltv"
    assert steps[-1].split() == ["publish", "2", "marts", "at", "once"]
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_in_json_is_one_document_and_changes_nothing(
    called: Marts, tmp_path: Path
) -> None:
    done = called("run", "--dry-run", "--json", "--as-of", "2025-01-31")
    assert done.returncode == DONE, done.stderr
    plan = one_document(done.stdout)
    assert plan["as_of"] == "2025-01-31"
    assert sorted(s["table"] for s in plan["steps"] if s["step"] == "build") == sorted(MARTS)
    assert sorted(plan["steps"][-1]["marts"]) == sorted(PUBLIC)
    assert list(tmp_path.iterdir()) == []


def test_a_run_in_json_is_one_document_with_messages_beside_it(
    checked_json_run: subprocess.CompletedProcess[str],
) -> None:
    assert checked_json_run.returncode == DONE, checked_json_run.stderr
    assert one_document(checked_json_run.stdout)["status"] == "published"
    assert "as of 2025-06-30" in checked_json_run.stderr
    assert f"done  published {len(PUBLIC)} marts" in checked_json_run.stderr


def test_the_sources_are_checked_before_any_mart(
    checked_json_run: subprocess.CompletedProcess[str],
) -> None:
    tables = one_document(checked_json_run.stdout)["tables"]
    kinds = [table["kind"] for table in tables]
    assert [table["name"] for table in tables[:3]] == SOURCES
    assert kinds == ["source"] * 3 + kinds[3:]
    assert "source" not in kinds[3:]
    assert all(table["checks"] for table in tables[:3])


# test


def test_test_checks_what_is_published(finished_run: Path, called: Marts) -> None:
    done = called("test", "--json", "--database", finished_run / "target/marts.duckdb")
    assert done.returncode == DONE, done.stderr
    results = one_document(done.stdout)
    assert (results["status"], results["as_of"]) == ("checked", "2025-06-30")
    assert sorted(table["name"] for table in results["tables"]) == sorted(PUBLIC)
    said = re.search(r"done  no check failed; (\d+) of (\d+) checks passed, 1 ack", done.stderr)
    assert said, done.stderr
    assert int(said[2]) - int(said[1]) == 1


def test_test_builds_a_temporary_mart_that_is_named(finished_run: Path, called: Marts) -> None:
    database = finished_run / "target/marts.duckdb"
    before = database.read_bytes()
    done = called("test", "-s", "int_customers", "--database", database)
    assert done.returncode == DONE, done.stderr
    assert done.stdout.startswith("as of 2025-06-30 · ")
    assert "ok    int_customers                           2,000 rows   17 checks" in done.stdout
    assert "done  no check failed; 21 of 21 checks passed" in done.stdout
    assert database.read_bytes() == before


def test_test_fails_if_a_published_mart_is_wrong(
    finished_run: Path, called: Marts, tmp_path: Path
) -> None:
    spoiled = tmp_path / "spoiled.duckdb"
    shutil.copy(finished_run / "target/marts.duckdb", spoiled)
    with duckdb.connect(str(spoiled)) as connection:
        connection.execute("UPDATE gold.metric_customer_ltv SET avg_spend_per_day = 'nan'")
    done = called("test", "-s", "metric_customer_ltv", "--database", spoiled)
    assert done.returncode == FAILED
    assert "FAIL  metric_customer_ltv.avg_spend_per_day_finite: 2,000 violations" in done.stdout


def test_test_sources_checks_the_sources_and_needs_no_database(
    called: Marts, tmp_path: Path
) -> None:
    done = called("test", "--sources")
    assert done.returncode == DONE, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[1] for line in lines[1:4]] == SOURCES
    assert "customer_key_in_dim_customer" not in done.stdout
    assert lines[-1].startswith("done  no check failed; ")
    assert not (tmp_path / "target/marts.duckdb").exists()


# ls and compile


def test_ls_prints_a_line_for_each_mart(called: Marts) -> None:
    done = called("ls")
    assert done.returncode == DONE, done.stderr
    words = [line.split() for line in done.stdout.splitlines() if line.strip()]
    assert words[0][:5] == ["mart", "kind", "grain", "tags", "checks"]
    assert sorted(line[0] for line in words[2:]) == sorted(MARTS)
    assert ESCAPE not in done.stdout


def test_ls_in_json_describes_the_selected_marts(called: Marts) -> None:
    done = called("ls", "--json", "-s", "tag:metrics", "-s", "customer_analytics")
    assert done.returncode == DONE, done.stderr
    described = {mart["name"]: mart for mart in one_document(done.stdout)}
    assert described.keys() >= {"metric_customer_ltv", "customer_segments"}
    assert "int_customers" not in described
    assert described["metric_mom_spend_change"]["grain"] == ["customer_id", "month"]
    assert described["customer_segments"]["materialized"] == "table"


def test_compile_prints_each_marts_sql_without_a_database(called: Marts, tmp_path: Path) -> None:
    done = called("compile")
    assert done.returncode == DONE, done.stderr
    assert sorted(
        re.findall(r"^-- (\w+), as of 2025-06-30$", done.stdout, flags=re.MULTILINE)
    ) == sorted(MARTS)
    statements = [each for each in sqlglot.parse(done.stdout, dialect="duckdb") if each]
    assert len(statements) == len(MARTS)
    assert "read_parquet(" in done.stdout.lower()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [lambda _: None, Path.mkdir], ids=["no folder", "empty folder"])
def test_compile_needs_no_data(make: Callable[[Path], None], called: Marts, tmp_path: Path) -> None:
    make(tmp_path / "data")
    done = called("compile", "--data", "data", "--as-of", "2025-06-30")
    assert done.returncode == DONE, done.stderr
    for source in (*SOURCES, "churn_predictions"):
        assert f"'{tmp_path}/data/{source}.parquet'" in done.stdout
    of_snowflake = called("compile", "--dialect", "snowflake", "--as-of", "2025-06-30").stdout
    assert done.stdout.count(" JOIN ") == of_snowflake.count(" JOIN ")


def test_compile_writes_files_of_the_other_dialect(called: Marts, tmp_path: Path) -> None:
    done = called("compile", "--dialect", "snowflake", "--output", "sql")
    assert done.returncode == DONE, done.stderr
    assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["sql"]
    assert {path.name for path in (tmp_path / "sql").iterdir()} == {f"{m}.sql" for m in MARTS}
    for path in (tmp_path / "sql").iterdir():
        sql = path.read_text("utf-8")
        query = sqlglot.parse_one(sql, dialect="snowflake")
        assert isinstance(query, sqlglot.exp.Query)
        assert "read_parquet" not in sql.lower()
        # As a run sends it, whatever the case of the options.
        named = {table.db for table in query.find_all(sqlglot.exp.Table) if table.db}
        assert named <= {"GOLD"}


def test_a_run_goes_on_without_its_reader(tmp_path: Path) -> None:
    with left_by_its_reader("run", cwd=tmp_path, lines=1) as process:
        assert "Traceback" not in process.stderr.read()
    with duckdb.connect(str(tmp_path / "target/marts.duckdb"), read_only=True) as connection:
        tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    assert {name for (name,) in tables} >= set(PUBLIC)
    assert process.returncode == DONE
    assert (tmp_path / "target/run_results.json").exists()


# projects

CATEGORIES = '''
from marts import int64, mart, source

categories = source(
    "dim_merchant_category", doc="C.", grain="category_key", columns=[int64("category_key")]
)

@mart(grain="category_key", columns=[int64("category_key")])
def categories_there(dim_merchant_category):
    """Lists categories."""
    return dim_merchant_category
'''


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Write a package of one mart, and return the folder that it is in."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/__init__.py").touch()
    (tmp_path / "shop/categories_there.py").write_text(CATEGORIES, "utf-8")
    (tmp_path / "data").symlink_to(BUNDLED)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        ("run segmens", "no mart matches segmens", "did you mean"),
        ("run --nothing", "No such option", None),
        ("test --backend oracle", "Invalid value for '--backend'", None),
        ("ls --package nowhere", "there is no package nowhere", "name a folder"),
        ("mutate --data nowhere", "there is no directory nowhere", "pass --data"),
        ("doctor --package nowhere", "there is no package nowhere", "name a folder"),
        ("run --data nowhere", "there is no directory nowhere", "pass --data"),
        ("run --target /dev/null/target", "cannot write /dev/null/target", "pass a folder"),
    ],
)
def test_who_asks_for_json_gets_a_document_of_an_error_too(
    words: str, error: str, hint: str | None, called: Marts
) -> None:
    done = called(*words.split(), "--json")
    document = one_document(done.stdout)
    assert document["error"].startswith(error)
    assert (document["hint"] or "").startswith(hint or "")
    assert document["exit_code"] == done.returncode
    assert all(fact in done.stderr for fact in [document["error"], *document["facts"]])
    assert '"exit_code"' not in called(*words.split()).stdout


@pytest.mark.parametrize(
    "words",
    ["run", "run --dry-run", "test", "ls", "compile", "show customer_360_profile", "mutate"],
)
def test_no_command_takes_somebody_elses_marts(words: str, called: Marts, tmp_path: Path) -> None:
    done = called(*words.split(), MARTS_PACKAGE="")
    assert done.returncode == ASKED_WRONGLY
    assert done.stdout == ""
    assert done.stderr.startswith("error: no package of marts is named\n")
    assert "hint: start a project: marts init; or pass --package NAME" in done.stderr
    assert "[tool.marts]" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_package_that_is_named_needs_no_project(shop: Path, called: Marts) -> None:
    done = called("run", "--package", "shop", "--data", "data", MARTS_PACKAGE="")
    assert done.returncode == DONE, done.stderr
    assert "published 1 mart;" in done.stdout
    assert (shop / "target/marts.duckdb").exists()


def test_marts_of_others_are_not_built_from_the_bundled_data(shop: Path, called: Marts) -> None:
    (shop / "data").unlink()
    done = called("run", "--package", "shop", MARTS_PACKAGE="")
    assert done.returncode == ASKED_WRONGLY
    assert "no data are named for shop" in done.stderr


def test_a_project_is_known_from_every_folder_of_it(shop: Path, called: Marts) -> None:
    settings = '[tool.marts]\npackage = "shop"\nschema = "dev"\ndata = "data"\n'
    (shop / "pyproject.toml").write_text(settings, "utf-8")
    (shop / "notes").mkdir()
    done = marts_process("run", cwd=shop / "notes", MARTS_PACKAGE="")
    assert done.returncode == DONE, done.stderr
    assert " ../data → ../target/marts.duckdb, schema dev" in done.stdout
    assert list((shop / "notes").iterdir()) == []
    assert "nothing to do" in called("run", "categories_there", MARTS_PACKAGE="").stdout
    with duckdb.connect(str(shop / "target/marts.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM dev.categories_there").fetchone() == (11,)


def test_a_setting_that_is_not_there_is_a_usage_error(shop: Path, called: Marts) -> None:
    (shop / "pyproject.toml").write_text('[tool.marts]\npakage = "shop"\n', "utf-8")
    done = called("run", "--package", "shop")
    assert done.returncode == ASKED_WRONGLY
    assert done.stderr == (
        "error: tool.marts.pakage in pyproject.toml is not a setting\nhint: did you mean package?\n"
    )
    assert called("run", "--help").returncode == DONE


def test_a_projects_acknowledgements_are_about_its_own_package(shop: Path, called: Marts) -> None:
    known = 'table = "other"\ncheck = "few"\nreason = "so"\nuntil = "2027-01-01"\n'
    settings = f'[tool.marts]\npackage = "other"\n[[tool.marts.acknowledge]]\n{known}'
    (shop / "pyproject.toml").write_text(settings, "utf-8")
    assert called("ls", "--package", "shop").returncode == DONE
    (shop / "pyproject.toml").write_text(settings.replace('"other"', '"shop"', 1), "utf-8")
    done = called("ls", MARTS_PACKAGE="")
    assert done.returncode == ASKED_WRONGLY
    assert "an acknowledgement in pyproject.toml names other" in done.stderr


def test_marts_are_selected_in_each_way(called: Marts) -> None:
    def listed(*words: str) -> set[str]:
        done = called("ls", *words, "--json")
        assert done.returncode == DONE, done.stderr
        return {mart["name"] for mart in one_document(done.stdout)}

    both = {"customer_segments", "metric_customer_ltv"}
    assert listed(*both) == both
    assert listed(",".join(both)) == both
    assert listed("-s", "customer_segments,tag:ltv") == both
    assert listed("customer_segments", "-s", "metric_customer_ltv") == both
    assert listed("tag:metrics", "--exclude", "tag:atv,tag:mom") == {"metric_customer_ltv"}
    refused = called("ls", "-s", "")
    assert (refused.returncode, refused.stdout) == (ASKED_WRONGLY, "")


def test_version(called: Marts) -> None:
    assert re.fullmatch(r"marts, version \d+\.\d+\.\d+\n", called("--version").stdout)
