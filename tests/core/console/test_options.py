"""What a call says: defaults, the project's file, the environment and options, in this order."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any

import click
import pytest

import cli
from marts.core.console.commands import NAMES
from marts.core.console.options import FIELDS, settings_of
from marts.core.errors import UsageError
from marts.core.project.settings import KEYS, Settings


def command_of(name: str) -> click.Command:
    """Return a command from the live group."""
    found = cli.marts.get_command(click.Context(cli.marts), name)
    assert found
    return found


def settings(*words: str) -> Settings:
    """Return the settings of a call."""
    with cli.marts.make_context("marts", list(words)) as group:
        name, command, rest = cli.marts.resolve_command(
            group, [*group._protected_args, *group.args]
        )
        assert name
        assert command
        with command.make_context(name, rest, parent=group) as context:
            return settings_of(context)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Call from an empty folder, without the caller's MARTS_… variables."""
    for name in [name for name in os.environ if name.startswith("MARTS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_text(text, "utf-8")


# field, default · in the file, value · in the environment, value · on the command line, value
LAYERS: list[tuple[Any, ...]] = [
    ("package", None, '"shop"', "shop", "store", "store", "--package mall", "mall"),
    ("schema", "gold", '"dev"', "dev", "test", "test", "--schema prod", "prod"),
    ("backend", "duckdb", '"snowflake"', "snowflake", "duckdb", "duckdb",
     "--backend snowflake", "snowflake"),
    ("threads", None, "2", 2, "3", 3, "--threads 4", 4),
    ("data", None, '"d"', Path("d"), "e", Path("e"), "--data f", Path("f")),
    ("target", Path("target"), '"d"', Path("d"), "e", Path("e"), "--target f", Path("f")),
    ("exclude", (), '["a", "b"]', ("a", "b"), "c,d e", ("c", "d", "e"),
     "--exclude f,g --exclude h", ("f", "g", "h")),
    ("strict", False, "true", True, "0", False, "--strict", True),
    ("strict", False, "true", True, "1", True, "--no-strict", False),
    ("proof_file", None, '"d"', Path("d"), "e", Path("e"), "--proof-file f", Path("f")),
    ("source_schema", None, '"RAW"', "RAW", "STAR", "STAR",
     "--backend snowflake --source-schema S", "S"),
]  # fmt: skip


@pytest.mark.parametrize("layer", LAYERS, ids=[row[0] for row in LAYERS])
def test_each_layer_counts_more_than_the_one_before(
    layer: tuple[Any, ...], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, default, text, of_file, variable, of_variable, words, of_option = layer
    command = "compile" if name == "strict" else "run"

    def value(*said: str) -> Any:
        return getattr(settings(command, *said), name)

    assert value() == default
    assert value(*words.split()) == of_option
    write(folder, f"[tool.marts]\n{name} = {text}")
    assert value() == of_file
    monkeypatch.setenv(f"MARTS_{name.upper()}", variable)
    assert value() == of_variable
    assert value(*words.split()) == of_option


@pytest.mark.parametrize("command", ["run", "test", "ls", "compile", "mutate"])
@pytest.mark.parametrize(
    ("words", "selected"),
    [
        ("", ()),
        ("a", ("a",)),
        ("a +b", ("a", "+b")),
        ("a,b+ c", ("a", "b+", "c")),
        ("-s a --select b", ("a", "b")),
        ("-s a,b -s c", ("a", "b", "c")),
        ("a -s b,c", ("a", "b", "c")),
    ],
)
def test_marts_are_selected_by_arguments_and_options_repeated_or_with_commas(
    command: str, words: str, selected: tuple[str, ...]
) -> None:
    assert settings(command, *words.split()).select == selected


@pytest.mark.parametrize("name", NAMES)
def test_what_sets_a_field_of_the_settings_is_an_option_of_its_name(name: str) -> None:
    others = {"backend": "--dialect"}
    for parameter in command_of(name).params:
        if (field := parameter.name or "") in FIELDS:
            assert {f"--{field.replace('_', '-')}", others.get(field)} & {*parameter.opts}
            assert getattr(parameter, "is_flag", False) is (field in ("strict", "require_proof"))


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("run --connection prod", "pass --backend snowflake, too, or leave out --connection"),
        ("show x --role R", "leave out --role"),
        ("compile --source-schema RAW", "pass --dialect snowflake"),
        ("test --backend snowflake --data d", "pass --backend duckdb, too, or leave out --data"),
    ],
)
def test_an_option_for_another_engine_is_refused_but_not_a_setting(
    words: str, hint: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="is an option for") as raised:
        settings(*words.split())
    assert hint in str(raised.value)
    write(folder, '[tool.marts]\nconnection = "c"\nrole = "R"\ndata = "d"')
    monkeypatch.setenv("MARTS_WAREHOUSE", "W")
    assert settings("run").backend == "duckdb"
    assert settings("run", "--backend", "snowflake").connection == "c"
    assert settings("doctor", "--connection", "c").connection == "c"


def test_arguments_count_more_than_the_environments_selection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MARTS_SELECT", "a,b c")
    assert settings("run").select == ("a", "b", "c")
    assert settings("run", "d").select == ("d",)
    assert settings("run", "-s", "d").select == ("d",)


def test_an_empty_text_selects_nothing_but_excludes_nothing() -> None:
    read = settings("run", "-s", "", "--exclude", "")
    assert (read.select, read.exclude) == (("",), ())


def test_fixtures_is_an_alias_of_data(monkeypatch: pytest.MonkeyPatch) -> None:
    for command in ("run", "test", "compile", "mutate", "load"):
        assert settings(command, "--fixtures", "d").data == Path("d")
        assert settings(command, "--fixtures=d").data == Path("d")
    assert settings("show", "m", "--fixtures", "d").data == Path("d")
    monkeypatch.setenv("MARTS_FIXTURES", "e")
    assert settings("run").data == Path("e")
    assert settings("run", "--data", "f").data == Path("f")
    monkeypatch.setenv("MARTS_DATA", "g")
    assert settings("run").data == Path("g")


def test_a_date_is_a_day() -> None:
    assert settings("run", "--as-of", "2025-06-30").as_of == datetime.date(2025, 6, 30)


def test_an_environment_is_chosen_by_option_variable_or_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '[tool.marts]\nschema = "base"\nenv = "a"\n' + "".join(
        f'[tool.marts.environments.{name}]\nschema = "{name}"\n' for name in "abc"
    )
    write(folder, text)
    assert (settings("run").env, settings("run").schema) == ("a", "a")
    monkeypatch.setenv("MARTS_ENV", "b")
    assert (settings("run").env, settings("run").schema) == ("b", "b")
    for command in NAMES:
        words = {
            "diff": ["--against", "d"],
            "export": ["m", "--output", "o"],
            "explain": ["m.c", "--key", "k"],
            **{name: ["m"] for name in ("lineage", "show", "witness")},
        }.get(command, [])
        if command not in ("generate", "init", "help"):
            assert settings(command, *words, "--env", "c").schema == "c", command
    monkeypatch.setenv("MARTS_SCHEMA", "variable")
    assert settings("run", "--env", "c").schema == "variable"


def test_an_environment_needs_a_project() -> None:
    with pytest.raises(UsageError, match=r"--env prod: no project .* has environments"):
        settings("run", "--env", "prod")


# The project's file


def test_the_nearest_file_with_a_table_of_ours_counts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '[tool.marts]\npackage = "shop"\ndata = "data"\n'
    write(folder, text)
    write(folder / "inner", "[tool.ruff]\nline-length = 100\n")
    (folder / "inner/most").mkdir()
    monkeypatch.chdir(folder / "inner/most")
    above = Path("../..")
    read = settings("run")
    assert (read.package, read.folder) == ("shop", above)
    assert (read.data, read.target) == (above / "data", above / "target")
    assert read.folder_of("package") == read.folder_of("database") == above
    given = settings("run", "--data", "data", "--target", "t", "--package", "p", "--database", "d")
    assert (given.data, given.target) == (Path("data"), Path("t"))
    assert given.folder_of("package") == given.folder_of("database") == Path()
    write(folder / "inner", "[tool.marts]\n")
    assert (settings("run").package, settings("run").folder) == (None, Path(".."))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[tool.marts", "cannot read the settings in pyproject.toml\n  "),
        (b"\xff", "cannot read the settings in pyproject.toml\n  "),
        (b"[tool]\nmarts = 3", "tool.marts in pyproject.toml is not a table\nhint: write it as ["),
        (b"[tool.marts]\nshema = 's'", "tool.marts.shema in pyproject.toml is not a setting\nhint"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(content: bytes, expected: str, folder: Path) -> None:
    (folder / "pyproject.toml").write_bytes(content)
    with pytest.raises(UsageError) as refused:
        settings("ls")
    assert str(refused.value).startswith(expected)


@pytest.mark.parametrize("content", ["", "tool = 3", "[tool]\nruff = 1", "marts = 3"])
def test_other_files_say_nothing(content: str, folder: Path) -> None:
    write(folder, content)
    assert settings("ls") == Settings()


# All options

UNSET = ("help", "as_dbt", "opens", "account", "suspend", "status", "remove")
"""Options without a variable, which would try worlds on production's account, or remove a schedule,
unasked."""
ALL_OPTIONS = [
    pytest.param(name, option, id=f"{name} {option.opts[-1]}")
    for name in NAMES
    for option in command_of(name).params
    # A project is begun once, and its files are printed once: nobody sets a variable for that.
    if isinstance(option, click.Option) and option.name not in UNSET and name != "init"
]


@pytest.mark.parametrize(("command", "option"), ALL_OPTIONS)
def test_each_option_has_an_environment_variable(command: str, option: click.Option) -> None:
    (long,) = [name for name in option.opts if name.startswith("--")]
    assert isinstance(option.envvar, list)
    assert option.envvar[0] == f"MARTS_{long[2:].replace('-', '_').upper()}"
    assert option.show_envvar, command


@pytest.mark.parametrize(("command", "option"), ALL_OPTIONS)
def test_no_flag_of_a_command_has_the_name_of_a_setting(command: str, option: click.Option) -> None:
    if option.name in KEYS:
        assert not option.is_flag or KEYS[option.name].fits(True), command


@pytest.mark.parametrize("command", ["run", "test"])
def test_the_common_options_are_there(command: str) -> None:
    known = {name for option in command_of(command).params for name in option.opts}
    assert known >= {"--backend", "--data", "--database", "--schema", "-s", "--select"}
    assert known >= {"--exclude", "--as-of", "--threads", "--memory-limit", "--json"}


def test_what_writes_sources_has_no_schema_of_marts() -> None:
    known = {name for option in command_of("load").params for name in option.opts}
    assert "--source-schema" in known
    assert "--schema" not in known
