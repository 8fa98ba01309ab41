"""Where the three programs of the comparison die: by SIGKILL, once, at the point asked for."""

from __future__ import annotations

import os
import signal
from pathlib import Path

IN_THE_TRANSACTION = "in the first transaction"
AFTER_ITS_COMMIT = "after its commit"
IN_THE_EFFECT = "in the effect"
BEFORE_THE_REPLY = "before the reply"
POINTS = (IN_THE_TRANSACTION, AFTER_ITS_COMMIT, IN_THE_EFFECT, BEFORE_THE_REPLY)

# What each program is told by its environment: where to die, and in which folder it works.
POINT = "DIE_AT"
FOLDER = "FOLDER"
LEDGER = "ledger.txt"
# Holds the id of the process to kill, where it is not the program's own.
VICTIM = "victim.pid"


def die_at(point: str) -> None:
    """Die if this is the point, unless it has happened in this folder before."""
    died = Path(os.environ[FOLDER]) / "died"
    if os.environ.get(POINT) == point and not died.exists():
        died.touch()
        victim = Path(os.environ[FOLDER]) / VICTIM
        os.kill(int(victim.read_text()) if victim.exists() else os.getpid(), signal.SIGKILL)


def charge_card(order_id: str) -> None:
    """The world outside: it takes the money each time, for it knows no request again."""
    with (Path(os.environ[FOLDER]) / LEDGER).open("a", encoding="utf-8") as ledger:
        ledger.write(f"{order_id}\n")
    die_at(IN_THE_EFFECT)
