"""The command line: which command it is, and the one loop. What takes long to import comes last.

Exit codes: 0 held or done, 1 found something, 2 misuse, 3 stopped before its end.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from actors.errors import DressRehearsalError, EntryPointError
from actors.lean_imports import lean_imports
from actors.new_command import new
from actors.program import NAME, version
from actors.shared_options import add_configuration, parse_all

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from actors.system import System

T = TypeVar("T")

MISUSED: Final = 2
ABOUT_SYSTEMS: Final = ("run", "simulate", "load")
ABOUT_FAULTS: Final = ("break", "faults", "mend")
ABOUT_DATA: Final = ("accept-loss", "backup", "check-upgrade", "restore")


def main(
    arguments: Sequence[str] | None = None,
    *,
    program: Path | None = None,
    systems: Sequence[System] | None = None,
) -> int:
    """Do what the arguments say, or the process's; returns the process's exit code.

    `program` is what another process would run to do the same. The `systems` are those that
    `run`, `simulate` or `load` is told of, else those that the configuration lists, unless given
    here.
    """
    if sys.stdout is None:  # closed by whoever started us
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - while we run
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        return _do(words, program, systems)
    except DressRehearsalError as error:
        print(f"dress-rehearsal: {error}", file=sys.stderr)  # noqa: T201 - the command's own words
        return MISUSED


def _do(words: list[str], program: Path | None, systems: Sequence[System] | None) -> int:
    name = words[0] if words and not words[0].startswith("-") else ""
    if words[:1] == ["--version"]:
        print(f"dress-rehearsal {version()}")  # noqa: T201 - the command's own words
        return 0
    if name not in {"", *ABOUT_SYSTEMS, "new", *ABOUT_FAULTS, *ABOUT_DATA}:
        there = ", ".join([*ABOUT_SYSTEMS, "new", *ABOUT_FAULTS, *ABOUT_DATA])
        raise EntryPointError(
            f"there is no command {name!r}: there are {there}; `{NAME} run {name}` boots a system "
            "that is called so"
        )
    if not _is_somewhere():
        raise EntryPointError("the folder that you are in is gone: go to another")
    _insist_on_text([*words, str(Path.cwd())])
    if name == "new":
        return new(words[1:])
    if name in ABOUT_FAULTS:
        from actors.fault_commands import run_fault_command  # noqa: PLC0415 - as below

        return run_fault_command(words)
    entry = _entry(words)
    served = _parse(words[1:] if name else words) if name in {"", "run"} else None
    # Here, for it is nearly all of a start: `new`, --help and a slip do not wait for it.
    from actors.late_certificates import late_certificates  # noqa: PLC0415

    with lean_imports(), late_certificates():
        from actors.system_commands import SystemCommands  # noqa: PLC0415
    commands = SystemCommands(
        words, entry=entry, program=program, systems=systems, draw=secrets.randbits, start=_start
    )
    return commands.do(name) if served is None else commands.serve(served)


def _is_somewhere() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def _insist_on_text(words: Sequence[str]) -> None:
    """Raise EntryPointError where one could not be written down: in the log, in the lock."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError as error:
            encoding = sys.getfilesystemencoding()
            advice = "" if encoding == "utf-8" else ", or set PYTHONUTF8=1 in the environment"
            message = f"{word!a} is not {encoding.upper()}: use another name{advice}"
            raise EntryPointError(message) from error


def _entry(words: list[str]) -> str | None:
    """Take from the words what stands right behind such a command, if it is no option."""
    if {*words[:1]} & {*ABOUT_SYSTEMS} and words[1:] and not words[1].startswith("-"):
        return words.pop(1)
    return None


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=NAME,
        usage="%(prog)s [run [SYSTEM]] [option ...]",
        description="Boot a whole microservice system in this process: what the configuration "
        "lists, or SYSTEM: a file (shop.py), a module (shop), or either with the system's name in "
        "it (shop:SHOP).",
        epilog=f"`{NAME} simulate [SYSTEM]` plays it on virtual time instead; "
        f"`{NAME} load [SYSTEM]` puts a load on it while it runs; `{NAME} backup`, "
        "`restore`, `accept-loss` and `check-upgrade` are about its data; "
        f"`{NAME} break`, `mend` and `faults` break it on purpose; `new system NAME` writes "
        "one to begin with; see their --help. --version says which release this is.",
    )
    add_configuration(parser)
    return parse_all(parser, words)


# --- The loop --------------------------------------------------------------------------------


def _start(work: Coroutine[Any, Any, T]) -> T:
    """Run it on a loop of its own to its end."""
    import asyncio  # noqa: PLC0415 - as above

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)


def _loop_factory() -> Callable[[], Any]:
    import asyncio  # noqa: PLC0415 - as above

    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
