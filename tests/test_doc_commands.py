"""Every command that a page names is one, with options that it has. test_docs runs the tours."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from actors import command_line
from actors.data_commands import COMMANDS
from actors.simulation.command.options import Options

ROOT = Path(__file__).parent.parent
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAM = r"(?:(?:(?:\.venv/bin/)?python )?runtime\.py|dress-rehearsal)"
# By themselves, indented, behind a prompt, or within a sentence.
NAMED = re.compile(rf"(?:^(?:    |\$ )|`){PROGRAM}( [^`\n]*)?(?:`|$)", re.MULTILINE)
MADE = re.compile(r"(?:^    |`)make ([a-z-]+)(?: [^`\n]*)?(?:`|$)", re.MULTILINE)


@pytest.mark.parametrize("page", DOCS, ids=lambda path: path.name)
def test_every_command_of_the_documentation_is_one(page: Path) -> None:
    """As the command line itself reads it, without doing it."""
    for arguments in NAMED.findall(page.read_text(encoding="utf-8")):
        words = shlex.split(arguments, comments=True)
        name, rest = (words[0], words[1:]) if words and words[0][0] != "-" else ("run", words)
        try:
            if name == "simulate":
                rest = rest[1:] if rest and not rest[0].startswith("-") else rest
                Options.parse(rest, systems=("hotel", "tweets"), fresh_seed=1)
            elif name == "run":
                command_line._parse(rest[1:] if rest and rest[0][0] != "-" else rest)
            elif name != "new":
                assert name in COMMANDS, f"{page.name}: {arguments}"
                assert len(rest) == 1 or rest[1].startswith("-"), f"{page.name}: {arguments}"
            else:
                assert (rest[0], len(rest)) == ("system", 2), f"{page.name}: {arguments}"
        except SystemExit:
            pytest.fail(f"{page.name}: {arguments}")


@pytest.mark.parametrize("page", DOCS, ids=lambda path: path.name)
def test_every_target_of_the_documentation_is_one(page: Path) -> None:
    """The Makefile has it."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {*MADE.findall(page.read_text(encoding="utf-8"))} <= {*targets}


def test_a_command_that_is_none_is_found() -> None:
    """The comparison above can fail."""
    found = NAMED.findall("`python runtime.py backup DIR`,\n    dress-rehearsal simulate --no\nrun")
    assert found == [" backup DIR", " simulate --no"]
    with pytest.raises(SystemExit):
        Options.parse(shlex.split(found[1])[1:], systems=(), fresh_seed=1)
