"""Every mistake of docs/MISTAKES.md is made, and told as the page says.

FILL=1 .venv/bin/python -m pytest -n0 tests/test_mistakes.py  writes the page anew
from tests/mistakes_told.py, where each sentence stands as it is to be.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from actors import command_line, system_commands
from tests.mistakes import EVERY, RIGHT, Mistake
from tests.mistakes_told import TOLD

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[[Mistake], int]

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "MISTAKES.md"
HEAD = """\
# Mistakes

What an author of a system gets wrong, where it is noticed, and what is said then. Nothing runs
yet, and no file is made: `dress-rehearsal run notes.py` prints the sentence and ends with exit code
2; `App(...)` raises it as a ConfigError, and Python as a TypeError where it imports a service. Each
row is one change of [the system at the end](#the-system-that-is-right), or a table of `own.toml`
(`--config own.toml`). A test makes every one of them, and reads what is said.

What is sent is read in the handlers' source: `actors/service/send_check.py` says what can be seen
there, and what cannot. An event that no service publishes is a warning, `nobody publishes what a
service hears`, and no mistake: it may be another system's, which is not booted today. So is a send,
under a condition, to a service that is not there.
"""
MADE = [mistake for _, mistakes in EVERY for mistake in mistakes]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Boot or play the system with a mistake in it; returns the exit code."""
    # What a process of its own would change for itself.
    monkeypatch.setattr(system_commands, "configure_logging", lambda *_, **__: None)
    monkeypatch.setattr("os.umask", lambda _: 0)

    def make(mistake: Mistake) -> int:
        file, overlay = tmp_path / "notes.py", tmp_path / "own.toml"
        file.write_text(mistake.source, encoding="utf-8")
        overlay.write_text("" if mistake.right else mistake.wrong, encoding="utf-8")
        data = tmp_path / "data"
        if not mistake.simulated:
            data.touch()  # what is no mistake ends there
        monkeypatch.setattr(sys, "path", [*sys.path])
        words = ["simulate", str(file), "--seeds=1"] if mistake.simulated else ["run", str(file)]
        words += [f"--config={overlay}", "--set=edge.gateway.port=0"]
        try:
            return command_line.main(
                [*words, f"--set=runtime.data_dir={data}"], program=Path("runtime.py")
            )
        finally:
            sys.modules.pop("notes", None)

    return make


def test_what_is_right_is_no_mistake(make: Make) -> None:
    """The system that all of them are changes of is taken, and played."""
    assert make(Mistake("nothing", "", "", simulated=True)) == 0


@pytest.mark.parametrize("mistake", MADE, ids=lambda each: each.what)
def test_a_mistake_is_told_before_anything_runs(
    make: Make,
    mistake: Mistake,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In a sentence that says what is wrong, where, and what to write instead."""
    assert make(mistake) == 2
    said = capsys.readouterr().err.replace(f"{tmp_path}/", "").replace(f"{ROOT}/", "")
    assert said == f"dress-rehearsal: {TOLD[mistake.what]}\n"


def test_the_page_says_what_is_told() -> None:
    """Row by row, and of no mistake that is not made."""
    assert sorted(TOLD) == sorted(each.what for each in MADE)
    page = [HEAD]
    for when, mistakes in EVERY:
        page += [f"## {when}\n\n| mistake | such as | what is said |\n| --- | --- | --- |"]
        page += [_row(each, TOLD[each.what]) for each in mistakes] + [""]
    page += [f"## The system that is right\n\n`notes.py`:\n\n```python\n{RIGHT}```\n"]
    if os.environ.get("FILL"):
        PAGE.write_text("\n".join(page), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == "\n".join(page)


def _row(mistake: Mistake, sentence: str) -> str:
    code = mistake.wrong or f"without {mistake.right}"
    cells = [
        mistake.what,
        "<br>".join(f"`{line.strip()}`" for line in code.splitlines()),
        "<br>".join(line.strip() for line in sentence.split("\n")),
    ]
    return f"| {' | '.join(each.replace('|', chr(92) + '|') for each in cells)} |"
