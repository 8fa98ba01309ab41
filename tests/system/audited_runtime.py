"""runtime.py with every address that it binds, connects to, sends to or looks up in a file.

`python -m tests.system.audited_runtime FILE ARGUMENT...`. On asyncio's own loop: uvloop's sockets
are libuv's, and pass Python's audit hooks by.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

# Event -> where in its arguments the address is.
EVENTS = {
    "socket.bind": 1,
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.sendmsg": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
    "socket.gethostbyaddr": 0,
}


def main() -> int:
    """Run it; returns its exit code."""
    path, *arguments = sys.argv[1:]
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in EVENTS:
            line = json.dumps([event, args[EVENTS[event]]], default=str)
            os.write(file, f"{line}\n".encode())

    sys.addaudithook(hook)
    sys.modules["uvloop"] = None  # type: ignore[assignment]
    # It must see the hook from its first line on.
    from actors.command_line import main as run  # noqa: PLC0415

    return run(arguments, program=Path("runtime.py"))


if __name__ == "__main__":
    sys.exit(main())
