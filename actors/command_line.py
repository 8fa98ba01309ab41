"""The command line: which command, with which systems and configuration; and the one loop.

Exit codes: 0 held or done, 1 found something, 2 misuse, 3 stopped before its end.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from actors.config import listed_systems, load_config
from actors.data_commands import COMMANDS, run_command
from actors.entry_point import lacking, load_listed, load_named
from actors.errors import DressRehearsalError, EntryPointError
from actors.heap import settle
from actors.kernel.clock import SystemClock
from actors.kernel.rng import Rng
from actors.log import configure_logging
from actors.new_command import new
from actors.program import NAME, version
from actors.serving import Server
from actors.shared_options import add_configuration, data_folder, parse_all
from actors.store.files.directory_lock import DirectoryLock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.kernel.clock import Clock
    from actors.system import System

# Few enough to read a seed out, enough that two runs never begin with the same.
FRESH_SEED_BITS = 32
MISUSED = 2
ABOUT_SYSTEMS = ("run", "simulate", "load")
# What `load` needs beside a server's packages, each with what pip installs it by.
LOAD_REQUIRES = {"hdrh": "dress-rehearsal[load]", "rich": "dress-rehearsal[load]"}


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
        _complain(str(error))
        return MISUSED


def _do(words: list[str], program: Path | None, systems: Sequence[System] | None) -> int:
    name = words[0] if words and not words[0].startswith("-") else ""
    if words[:1] == ["--version"]:
        print(f"dress-rehearsal {version()}")  # noqa: T201 - the command's own words
        return 0
    if name not in {"", *ABOUT_SYSTEMS, "new", *COMMANDS}:
        raise EntryPointError(
            f"there is no command {name!r}: there are {', '.join(ABOUT_SYSTEMS)}, new, "
            f"{', '.join(COMMANDS)}; `{NAME} run {name}` boots a system that is called so"
        )
    if not _is_somewhere():
        raise EntryPointError("the folder that you are in is gone: go to another")
    _insist_on_text([*words, str(Path.cwd())])
    if name == "new":
        return new(words[1:])
    clock = SystemClock()
    entry = _entry(words)
    if systems is None:
        systems = _load_systems(entry, words)
    if name == "simulate":
        # Here, for a server that starts needs none of it.
        from actors.simulation.command.command import simulate  # noqa: PLC0415

        return simulate(
            words[1:],
            program=program or Path(sys.argv[0]).absolute(),
            fresh_seed=secrets.randbits(FRESH_SEED_BITS),
            clock=clock,
            systems=systems,
            entry=entry,
        )
    if name == "load":
        return _put_load(words[1:], clock, systems)
    if name in COMMANDS:
        settle()
        return run_command(words, clock, systems)
    return _run(words[1:] if name else words, clock, systems)


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


def _complain(message: str) -> None:
    print(f"dress-rehearsal: {message}", file=sys.stderr)  # noqa: T201 - the command's own words


# --- Whose systems ---------------------------------------------------------------------------


def _entry(words: list[str]) -> str | None:
    """Take from the words what stands right behind such a command, if it is no option."""
    if {*words[:1]} & {*ABOUT_SYSTEMS} and words[1:] and not words[1].startswith("-"):
        return words.pop(1)
    return None


def _load_systems(entry: str | None, words: list[str]) -> Sequence[System]:
    """Find what to boot, as far as the options about the configuration say which."""
    if {"-h", "--help"} & {*words}:  # whatever is wrong, what is right is told
        return ()
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    add_configuration(parser)
    try:
        options, _ = parser.parse_known_args(words)
    except argparse.ArgumentError:  # who reads all the words says it better
        options = parser.parse_args([])
    listed = listed_systems(options.config, options.set)
    if entry is not None and words[0] == "run":
        return load_named(entry, listed)
    if entry is not None:
        return _load_meant(entry, listed, words)
    systems, left_out = load_listed(listed)
    for line in left_out:
        _complain(line)
    return systems


def _load_meant(entry: str, listed: Sequence[str], words: list[str]) -> Sequence[System]:
    """Return what is meant, and what beside it: a listed one's name is as `--system` and it."""
    found = load_named(entry, listed)
    if [each.name for each in found] != [entry]:
        return found
    beside, _ = load_listed(listed)
    if not any(each is found[0] for each in beside):
        return found
    words += ["--system", entry]
    return beside


# --- Serving ---------------------------------------------------------------------------------


def _run(words: Sequence[str], clock: Clock, systems: Sequence[System]) -> int:
    """Serve until SIGTERM or SIGINT."""
    options = _parse(words)
    config = load_config(options.config, options.set, systems)
    data_dir = data_folder(options.data_dir, config)
    # What is in the data folder is nobody else's: also what SQLite makes there.
    os.umask(0o077)
    configure_logging(config.log, sys.stdout, is_terminal=sys.stdout.isatty(), now_us=clock.now_us)
    server = Server(systems, config, data_dir, clock)
    settle()
    rng = Rng(config.runtime.seed or secrets.randbits(128))
    with (
        DirectoryLock(data_dir).acquire(holder=" ".join(sys.argv)) as lock,
        asyncio.Runner(loop_factory=_loop_factory()) as runner,
    ):
        runner.run(server.serve(rng, lock))
    return 0


def _put_load(words: Sequence[str], clock: Clock, systems: Sequence[System]) -> int:
    """Put a load on what another process serves. Raises EntryPointError without its packages."""
    if lack := lacking(LOAD_REQUIRES):
        raise EntryPointError(f"there can be no load: {lack}")
    # Here, for a server that starts needs none of it.
    from actors.load.load_command import load  # noqa: PLC0415
    from actors.load.load_options import LoadOptions  # noqa: PLC0415

    options = LoadOptions(words)
    seed = secrets.randbits(FRESH_SEED_BITS) if options.seed is None else options.seed
    settle()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return load(
            options, clock=clock, rng=Rng(seed), seed=seed, start=runner.run, systems=systems
        )


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=NAME,
        usage="%(prog)s [run [SYSTEM]] [option ...]",
        description="Boot a whole microservice system in this process: what the configuration "
        "lists, or SYSTEM: a file (shop.py), a module (shop), or either with the system's name in "
        "it (shop:SHOP).",
        epilog=f"`{NAME} simulate [SYSTEM]` plays it on virtual time instead; "
        f"`{NAME} load [SYSTEM]` puts a load on it while it runs; `{NAME} backup`, "
        "`restore`, `accept-loss` and `check-upgrade` are about its data; `new system NAME` writes "
        "one to begin with; see their --help. --version says which release this is.",
    )
    add_configuration(parser)
    return parse_all(parser, words)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
