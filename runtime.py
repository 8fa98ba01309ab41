"""`python runtime.py`: calls the command line, with whichever Python has what it needs.

This file is read by old Pythons, too: from 3.6 on they know all that stands here.
"""

import os
import shlex
import sys
from pathlib import Path
from typing import NoReturn

PYTHON = Path(__file__).absolute().parent / ".venv" / "bin" / "python"


def give_up(lack: str) -> NoReturn:
    """Leave it to the Python that `make run` has set up, if there is one; else say what to type."""
    if PYTHON.exists() and not PYTHON.parents[1].samefile(sys.prefix):
        os.execv(str(PYTHON), [str(PYTHON), *sys.argv])  # noqa: S606 - ourselves
    there = " ".join(shlex.quote(word) for word in [str(PYTHON), *sys.argv])
    sys.stderr.write(
        f"dress-rehearsal: {sys.executable} {lack}; type `make run`, or what works after it: "
        f"{there}\n"
    )
    sys.exit(2)


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - who has an older one is told
        give_up("is Python {}.{}, and 3.11 is needed".format(*sys.version_info))
    from actors.launch import command_line
    from actors.lean_imports import NotInstalled

    try:
        sys.exit(command_line()(sys.argv[1:], program=Path(__file__)))
    except NotInstalled as missing:
        give_up(f"has no {missing.name}")
