"""`python runtime.py`: calls the command line, and says what is missing if it cannot."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

try:
    from actors.command_line import main
except ModuleNotFoundError as missing:
    if missing.name and missing.name.partition(".")[0] in {"actors", "http_edge"}:
        raise
    python = Path(__file__).parent / ".venv" / "bin" / "python"
    print(  # noqa: T201 - the command's own words
        f"dress-rehearsal: {sys.executable} has no {missing.name}; type `make run`, or what works "
        f"after it: {python} {shlex.join(sys.argv)}",
        file=sys.stderr,
    )
    sys.exit(2)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], program=Path(__file__)))
