"""Who may import whom, what stays in which room, and what must not be loaded: house rules, held."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from support import slow
from support.paths import REPOSITORY, TESTS
from support.processes import marts_environment

CONSOLE = "marts.core.console"
SETTINGS = "marts.core.project.settings"
LIGHT = (
    "cli",
    f"{CONSOLE}.commands",
    *(
        f"{CONSOLE}.{name}"
        for name in (
            "completion",
            "exit_codes",
            "extras",
            "guide",
            "interrupts",
            "options",
            "project_file",
            "streams",
        )
    ),
    "marts.core.operations.wiring",
    "marts.core.errors",
    "marts.core.authoring.tolerance",
    "marts.core.project.packages",
    SETTINGS,
)
PROGRAM = "marts.__main__"
EMULATOR = "backends.emulator"
"""It has a process of its own, which talks by pipes to the one that starts it."""
OURS = ("marts", "backends", "fixtures", "cli")

LONGEST_FUNCTION, LONGEST_FILE = 58, 400


@dataclass(frozen=True)
class Import:
    """One module that another names, and how."""

    by: str
    module: str
    line: int
    is_for_typing: bool
    is_lazy: bool

    def __str__(self) -> str:
        return f"{self.by}:{self.line} imports {self.module}"


@cache
def modules() -> dict[str, Path]:
    """Return every module that is shipped, by name."""
    files = [REPOSITORY / "cli.py"]
    for package in ("marts", "backends", "fixtures"):
        files += (REPOSITORY / package).rglob("*.py")
    return {_module_name(file): file for file in sorted(files)}


def _module_name(file: Path) -> str:
    parts = file.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text("utf-8"))


@cache
def imports() -> tuple[Import, ...]:
    """Return every import of every module, those within functions too."""
    return tuple(found for module in modules() for found in _imports_of(module))


def _imports_of(module: str) -> Iterator[Import]:
    waiting: list[tuple[ast.AST, str | None]] = [(tree(module), None)]
    while waiting:
        node, block = waiting.pop()
        kind = _kind_of_block(node) or block
        for name in _names_of(node):
            line = getattr(node, "lineno", 0)
            yield Import(module, name, line, kind == "typing", kind == "function")
        waiting += [(child, kind) for child in ast.iter_child_nodes(node)]


def _kind_of_block(node: ast.AST) -> str | None:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return "function"
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        return "typing"
    return None


def _names_of(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [name.name for name in names]
        case ast.ImportFrom(module=str(origin), level=0, names=names):
            inner = [f"{origin}.{name.name}" for name in names]
            known = [name for name in inner if name in modules()]
            return known + [origin] * (len(known) < len(names))
        case ast.ImportFrom():
            return ["a relative import"]
        case _:
            return []


def top(module: str) -> str:
    return module.partition(".")[0]


def is_below(module: str, *packages: str) -> bool:
    return any(module == each or module.startswith(f"{each}.") for each in packages)


def offences(*found: object) -> None:
    assert not found, "\n".join(["", *map(str, found)])


# The rooms


def test_content_imports_ibis_the_front_door_and_what_marts_share_alone() -> None:
    framework = ("marts.core", PROGRAM)
    content = [m for m in modules() if is_below(m, "marts") and not is_below(m, *framework)]
    offences(
        *(
            each
            for each in imports()
            if each.by in content
            and each.by != "marts"
            and top(each.module) != "ibis"
            and each.module not in ("marts", "marts.shared")
        )
    )


def test_a_backend_imports_the_port_and_the_errors_alone_and_the_factory_the_settings() -> None:
    port = (
        "marts.core.errors",
        "marts.core.plan.proofs",
        "marts.core.plan.runs",
        "marts.core.plan.schedule",
        "marts.core.plan.state",
        "marts.core.run.backend",
        "marts.core.run.deployment",
        "marts.core.run.diagnosis",
        "marts.core.run.profiling",
        "marts.core.run.waiting",
        "marts.core.run.world_engine",
    )
    offences(
        *(
            each
            for each in imports()
            if is_below(each.by, "backends")
            and top(each.module) in OURS
            and not is_below(each.module, "backends", *port)
            and (each.by, each.module) != ("backends.factory", SETTINGS)
        )
    )


def test_fixtures_know_of_marts_the_errors_and_the_thresholds_alone() -> None:
    known = ("fixtures", "marts.core.errors", "marts.core.analysis.thresholds")
    offences(
        *(
            each
            for each in imports()
            if is_below(each.by, "fixtures")
            and top(each.module) in OURS
            and not is_below(each.module, *known)
        )
    )


def test_no_import_is_relative() -> None:
    offences(*(each for each in imports() if each.module == "a relative import"))


def test_no_imports_form_a_cycle_lazy_ones_included() -> None:
    graph = {
        module: {each.module for each in imports() if each.by == module} & modules().keys()
        for module in modules()
    }
    # What a module imports from its own package's front door would show here, too.
    tuple(TopologicalSorter(graph).static_order())


# Who may use what


@pytest.mark.parametrize(
    ("library", "users"),
    [
        ("click", ("cli", CONSOLE)),
        (
            "rich",
            tuple(
                f"{CONSOLE}.{name}"
                for name in (
                    *("lineage_terminal", "markdown", "mutation_terminal"),
                    *("progress", "proof_terminal", "terminal"),
                )
            ),
        ),
        (
            "duckdb",
            (
                "backends.duckdb",
                "backends.duckdb_connection",
                "backends.duckdb_parquet",
                "backends.duckdb_again",
                "backends.duckdb_candidates",
                "backends.duckdb_csv",
                "backends.duckdb_errors",
                "backends.duckdb_reader",
                "backends.duckdb_tables",
                EMULATOR,
            ),
        ),
        (
            "snowflake",
            (
                "backends.snowflake",
                "backends.snowflake_connection",
                "backends.snowflake_driver",
                "backends.snowflake_errors",
                "backends.snowflake_session",
                EMULATOR,
            ),
        ),
        ("numpy", ("fixtures",)),
        ("fakesnow", (EMULATOR,)),
        ("pandas", ("marts.core.proof",)),
    ],
)
def test_a_library_stays_in_its_room(library: str, users: tuple[str, ...]) -> None:
    offences(
        *(
            each
            for each in imports()
            if top(each.module) == library and not is_below(each.by, *users)
        )
    )


def test_the_command_line_imports_nothing_heavy_at_its_top() -> None:
    light = {*sys.stdlib_module_names, "click"}
    offences(
        *(
            each
            for each in imports()
            if is_below(each.by, *LIGHT)
            and not each.is_lazy
            and not each.is_for_typing
            and top(each.module) not in light
            and each.module != "marts.core"
            and not is_below(each.module, *LIGHT)
        )
    )


def uses(module: str, *names: str) -> list[str]:
    """Return where a module names something: `print`, `os.environ`."""
    return [
        f"{module}:{node.lineno} uses {name}"
        for node in ast.walk(tree(module))
        for name in names
        if (isinstance(node, ast.Name) and node.id == name)
        or (isinstance(node, ast.Attribute) and node.attr == name)
    ]


def test_the_command_line_alone_reads_the_environment() -> None:
    # The second hands its own on to the command that it runs.
    console = ("cli", f"{CONSOLE}.commands.emulator")
    others = [module for module in modules() if module not in console]
    names = ("environ", "environb", "getenv", "putenv")
    offences(*(line for module in others for line in uses(module, *names)))


def test_only_the_console_prints_and_exits() -> None:
    rooms = [
        module
        for module in modules()
        if is_below(module, "marts.core", "backends") and not is_below(module, CONSOLE, EMULATOR)
    ]
    names = ("print", "exit", "_exit", "quit", "input", "stdout", "stderr", "SystemExit")
    offences(*(line for module in rooms for line in uses(module, *names)))


# Sizes


def length(function: ast.FunctionDef) -> int:
    """Return a function's lines, its docstring aside: a mart's has words for every column."""
    last = function.end_lineno or 0
    words = (ast.get_docstring(function, clean=False) or "").count("\n")
    return last - function.lineno + 1 - words


def test_functions_are_short() -> None:
    offences(
        *(
            f"{module}:{node.lineno} {node.name} has {length(node)} lines"
            for module in modules()
            for node in ast.walk(tree(module))
            if isinstance(node, ast.FunctionDef) and length(node) >= LONGEST_FUNCTION
        )
    )


def test_files_are_short() -> None:
    offences(
        *(
            f"{module} has {lines} lines"
            for module, file in modules().items()
            if (lines := len(file.read_text("utf-8").splitlines())) >= LONGEST_FILE
        )
    )


# What is loaded

DRIVER = """
import sys
import cli

sys.argv[0] = "marts"
try:
    cli.main()
except SystemExit as exit:
    assert not exit.code, exit.code
print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def loaded_by(*words: object, cwd: Path) -> set[str]:
    """Return the top-level modules that a call of the command line has loaded when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, *map(str, words)],
        cwd=cwd,
        env=marts_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return set(done.stderr.splitlines()[-1].split())


def test_the_files_that_are_called_slow_are_there() -> None:
    assert [name for name in slow.FILES if not (TESTS / name).is_file()] == []


HEAVY = {"ibis", "pandas", "duckdb", "pyarrow", "sqlglot", "rich", "snowflake", "numpy"}


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["generate", "--help"]])
def test_help_loads_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    assert not loaded_by(*words, cwd=tmp_path) & HEAVY


def test_pytest_loads_a_plugin_that_costs_nothing() -> None:
    code = "import sys, pytest; known = {*sys.modules}; import marts.core.kit.plugin;"
    code += "print(*sys.modules.keys() - known)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=marts_environment(), capture_output=True, check=True
    )
    assert {top(name) for name in done.stdout.decode().split()} == {"marts"}


@pytest.mark.slow
def test_a_run_loads_neither_arrow_nor_pandas_nor_the_driver_of_another_engine(
    tmp_path: Path,
) -> None:
    database, target = tmp_path / "marts.duckdb", tmp_path / "target"
    loaded = loaded_by("run", "--database", database, "--target", target, cwd=tmp_path)
    assert database.exists()
    assert "duckdb" in loaded
    assert not loaded & {"numpy", "pandas", "pyarrow", "snowflake"}


@pytest.mark.slow
def test_compiling_loads_no_engine(tmp_path: Path) -> None:
    loaded = loaded_by("compile", "--dialect", "snowflake", cwd=tmp_path)
    assert "sqlglot" in loaded
    assert not loaded & {"pandas", "duckdb", "snowflake"}
