"""How the command line is called, so that what a message says can be pasted; and its version."""

from __future__ import annotations

import shlex
import shutil
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Final

DISTRIBUTION: Final = "dress-rehearsal"
ROOT: Final = Path(__file__).parents[1]
CHECKOUT: Final = (ROOT / "runtime.py").is_file()

# How messages begin, and a usage.
NAME: Final = "runtime.py" if CHECKOUT else DISTRIBUTION


def _program(here: Path | None) -> str:
    if not CHECKOUT:
        beside = Path(sys.executable).with_name(DISTRIBUTION)
        found = shutil.which(DISTRIBUTION)
        elsewhere = beside.exists() and found != str(beside)
        return shlex.quote(str(beside)) if elsewhere else DISTRIBUTION
    # No other Python has the packages.
    words = (".venv/bin/python", "runtime.py")
    if here != ROOT:
        words = (str(ROOT / words[0]), str(ROOT / words[1]))
    return shlex.join(words)


# As a shell calls it from where this process was started.
PROGRAM: Final = _program(Path.cwd())
# And from anywhere.
ANYWHERE: Final = _program(None)
PYTEST: Final = (
    f"PYTHONPATH={shlex.quote(str(ROOT))} {shlex.quote(sys.executable)} -m pytest "
    "-p actors.testing.plugin"
    if CHECKOUT
    else "python -m pytest"
)


def version() -> str:
    """Return the release's number: the checkout's own, or that which pip has installed."""
    if CHECKOUT:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        return str(project["project"]["version"])
    return metadata.version(DISTRIBUTION)
