"""Pages of documentation that are executed: their commands and files, in order, in a folder.

In a block of `console`, a line that begins with `$ ` is a command, and the lines after it are what
it prints, where the page shows it: a line with `…` alone stands for any lines, `…` within a line
for any text, and spaces and seconds are not compared. Without any `$`, every line is a command. A
command exits with 0, unless the next one is `echo $?`. A block of `sql` is parsed by Snowflake's
grammar, and one of `text` or `sh` is left alone. One of another language is a file, which the
paragraph before it names last; "add" in that paragraph appends to it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from support import grammar
from support.processes import GUARD, MARTS, Result, call_marts, marts_environment

BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w ./-]+\.\w+)`")
NOT_EXECUTED = ("pip install ", "python -m venv ")
"""They would download; tests/test_packaging.py installs the wheel."""
EXIT_CODE = "echo $?"
NOT_A_FILE = ("text", "sh")


@dataclass(frozen=True)
class Command:
    """A command of a page, what it prints if the page shows it, and its exit code."""

    words: str
    shown: str | None = None
    code: int = 0


@dataclass(frozen=True)
class File:
    """A file of a page, and whether it is added to one that exists."""

    name: str
    text: str
    language: str
    adds: bool = False


@dataclass(frozen=True)
class Statements:
    """SQL that an administrator of Snowflake would execute."""

    text: str


Step = Command | File | Statements


def steps(page: str) -> Iterator[Step]:
    """Yield what a reader of a page types, in order."""
    for found in BLOCK.finditer(page):
        indent, language, text = found.groups()
        text = re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)
        if language == "console":
            yield from commands(text)
        elif language == "sql":
            yield Statements(text)
        elif language not in NOT_A_FILE:
            before = page[: found.start()].rstrip().rpartition("\n\n")[2]
            *_, name = FILE.findall(before) or [""]
            assert name, f"no file is named before this block:\n{text}"
            yield File(name, text, language, adds=bool(re.search(r"\b[Aa]dd\b", before)))


def commands(block: str) -> list[Command]:
    """Return the commands of a block of `console`."""
    if not re.search(r"^\$ ", block, re.MULTILINE):
        return [Command(line) for line in block.splitlines() if line]
    found: list[Command] = []
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        words, _, shown = part.partition("\n")
        if words == EXIT_CODE:
            found[-1] = Command(found[-1].words, found[-1].shown, int(shown))
        else:
            found.append(Command(words, shown.strip("\n") or None))
    return found


@dataclass
class Reader:
    """Somebody who types what a page says, in a folder."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def follow(self, page: str) -> None:
        """Do everything that a page says; AssertionError where it is wrong."""
        for step in steps(page):
            if isinstance(step, File):
                self._write(step)
            elif isinstance(step, Statements):
                grammar.check(step.text.strip().removesuffix(";").split(";\n"))
            elif not step.words.startswith(NOT_EXECUTED):
                self._call(step)

    def _write(self, step: File) -> None:
        file = self.folder / step.name
        file.parent.mkdir(parents=True, exist_ok=True)
        assert file.exists() or not step.adds, f"{step.name} does not exist yet"
        blank = "" if step.language == "csv" else "\n"
        before = file.read_text("utf-8").rstrip("\n") + "\n" + blank if step.adds else ""
        file.write_text(before + step.text, "utf-8")

    def _call(self, command: Command) -> None:
        if command.words.startswith("cd "):
            self.folder = (self.folder / command.words.removeprefix("cd ")).resolve(strict=True)
            return
        done = self._done(command.words)
        printed = done.stdout + done.stderr
        assert done.returncode == command.code, f"$ {command.words}\n{printed}"
        if command.shown is not None:
            assert is_shown(command.shown, printed), f"$ {command.words}\n{printed}"

    def _done(self, words: str) -> Result:
        program, *arguments = words.split()
        # What needs a shell, or another program, is called by one.
        if program == "marts" and not re.search(r"[|<>&'\"$*]", words):
            return call_marts(*arguments, cwd=self.folder, MARTS_PACKAGE="", **self.environment)
        path = f"{MARTS.parent}{os.pathsep}{os.environ['PATH']}"
        inherited = marts_environment(MARTS_PACKAGE="", PATH=path, **self.environment)
        return subprocess.run(
            ["bash", "-c", words],  # noqa: S607  (a shell, as a reader has one)
            cwd=self.folder,
            env=inherited,
            capture_output=True,
            text=True,
            check=False,
            timeout=GUARD,
        )


def is_shown(shown: str, printed: str) -> bool:
    """Tell whether a page shows what a command prints."""
    any_line, any_text = "\0", "\1"
    text = re.sub(r"^ *…$", any_line, shown, flags=re.MULTILINE).replace("…", any_text)
    pattern = re.escape(_normalised(text))
    pattern = pattern.replace(f"{any_line}\\\n", "(?:.*\\\n)*").replace(any_line, "(?:.*\\\n?)*")
    return bool(re.fullmatch(pattern.replace(any_text, ".*"), _normalised(printed)))


def _normalised(text: str) -> str:
    lines = [" ".join(line.split()) for line in text.splitlines()]
    text = "\n".join(line for line in lines if line.strip("─ "))
    return re.sub(r"\b\d+\.\d\d s\b", "0.00 s", text)
