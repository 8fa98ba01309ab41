"""How the command line is called, so that what a message says can be pasted; and its version."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

DISTRIBUTION: Final = "dress-rehearsal"
ROOT: Final = Path(__file__).parents[1]
# A wheel has the configuration within; beside it, in its folder, may be anybody's `runtime.py`.
CHECKOUT: Final = not Path(__file__).with_name("config.toml").exists()

# How messages begin, and a usage.
NAME: Final = "runtime.py" if CHECKOUT else DISTRIBUTION


def _program(here: Path | None) -> str:
    python = Path(sys.executable)
    if not CHECKOUT:
        beside = python.with_name(DISTRIBUTION)
        found = shutil.which(DISTRIBUTION)
        elsewhere = beside.exists() and found != str(beside)
        return shlex.quote(str(beside)) if elsewhere else DISTRIBUTION
    # This Python has the packages; another need not.
    words = [python, ROOT / "runtime.py"]
    if here == ROOT:
        words = [each.relative_to(ROOT) if ROOT in each.parents else each for each in words]
    return shlex.join(map(str, words))


def _pytest() -> str:
    if ANYWHERE == DISTRIBUTION:  # its environment is activated
        return "python -m pytest"
    words = f"{shlex.quote(sys.executable)} -m pytest"
    if not CHECKOUT:
        return words
    return f"PYTHONPATH={shlex.quote(str(ROOT))} {words} -p actors.testing.plugin"


def _here() -> Path | None:
    try:
        return Path.cwd()
    except FileNotFoundError:  # removed by somebody else: whoever needs it says so
        return None


# As a shell calls it from where this process was started.
PROGRAM: Final = _program(_here())
# And from anywhere.
ANYWHERE: Final = _program(None)
PYTEST: Final = _pytest()


def version() -> str:
    """Return the release's number: the checkout's own, or that which pip has installed."""
    # Here, for what a start does without is a tenth of what `new` takes.
    if CHECKOUT:
        import tomllib  # noqa: PLC0415

        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        return str(project["project"]["version"])
    from importlib import metadata  # noqa: PLC0415

    return metadata.version(DISTRIBUTION)
