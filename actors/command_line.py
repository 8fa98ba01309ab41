"""The command line: a configuration, the one loop, the systems on it; and the other commands.

Exit codes: 0 held or done, 1 found something, 2 misuse, 3 stopped before its end.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import shlex
import signal
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from actors.app import App, look_through, loopback
from actors.config import listed_systems, load_config
from actors.data_commands import COMMANDS, add_configuration, run_command
from actors.entry_point import load_listed, load_named
from actors.errors import ConfigError, DressRehearsalError
from actors.kernel.clock import SystemClock
from actors.kernel.lifecycle_log import log_lifecycle
from actors.kernel.rng import Rng
from actors.log import configure_logging
from actors.new_command import new
from actors.program import NAME, version
from actors.store.files.backup import refuse_backup, refuse_unfinished
from actors.store.files.directory_lock import DirectoryLock, holder_of
from actors.system import places_of
from http_edge.descriptors import fit
from http_edge.listener import bind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.system import System
    from http_edge.descriptors import Fit
    from http_edge.listener import Listener, Sockets

log = structlog.get_logger()

# Few enough to read a seed out, enough that two runs never begin with the same.
FRESH_SEED_BITS = 32


def main(
    arguments: Sequence[str] | None = None,
    *,
    program: Path | None = None,
    systems: Sequence[System] | None = None,
) -> int:
    """Do what the arguments say, or the process's; returns the process's exit code.

    `program` is what another process would run to do the same. The `systems` are those that
    `run` or `simulate` is told of, else those that the configuration lists, unless given here.
    """
    if sys.stdout is None:  # closed by whoever started us
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - while we run
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] == ["--version"]:
        print(f"dress-rehearsal {version()}")  # noqa: T201 - the command's own words
        return 0
    if words[:1] == ["new"]:
        return new(words[1:])
    if words and not words[0].startswith("-") and words[0] not in {"run", "simulate", *COMMANDS}:
        what = f"there is no command {words[0]!r}; `{NAME} run {words[0]}` would boot it"
        print(f"dress-rehearsal: {what}, and see --help", file=sys.stderr)  # noqa: T201 - likewise
        return 2
    entry = _entry(words)
    try:
        found = _load_systems(entry, words) if systems is None else systems
    except DressRehearsalError as error:
        print(f"dress-rehearsal: {error}", file=sys.stderr)  # noqa: T201 - likewise
        return 2
    return _do(words, program or Path(sys.argv[0]).absolute(), found, entry)


def _entry(words: list[str]) -> str | None:
    """Take from the words what stands right behind `run` or `simulate`, if it is no option."""
    if words[:1] in (["run"], ["simulate"]) and words[1:] and not words[1].startswith("-"):
        return words.pop(1)
    return None


def _load_systems(entry: str | None, words: Sequence[str]) -> Sequence[System]:
    """Find what to boot, as far as the options about the configuration say which."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    add_configuration(parser)
    try:
        options, _ = parser.parse_known_args(words)
    except argparse.ArgumentError:  # who reads all the words says it better
        options = parser.parse_args([])
    listed = listed_systems(options.config, options.set)
    if entry is not None:
        return load_named(entry, listed)
    systems, left_out = load_listed(listed)
    for line in left_out:
        print(f"dress-rehearsal: {line}", file=sys.stderr)  # noqa: T201 - the command's own words
    return systems


def _do(
    arguments: Sequence[str], program: Path, systems: Sequence[System], entry: str | None
) -> int:
    clock = SystemClock()
    name, *rest = arguments or [""]
    if name == "simulate":
        # Here, for a server that starts needs none of it.
        from actors.simulation.command.command import simulate  # noqa: PLC0415

        seed = secrets.randbits(FRESH_SEED_BITS)
        return simulate(
            rest, program=program, fresh_seed=seed, clock=clock, systems=systems, entry=entry
        )
    if name in COMMANDS:
        return run_command(arguments, clock, systems)
    return _run(rest if name == "run" else arguments, clock, systems)


def _run(arguments: Sequence[str], clock: Clock, systems: Sequence[System]) -> int:
    """Serve until SIGTERM or SIGINT."""
    options = _parse(arguments)
    try:
        config = load_config(options.config, options.set, systems)
        data_dir = Path(options.data_dir or config.runtime.data_dir).absolute()
        # What is in the data folder is nobody else's: also what SQLite makes there.
        os.umask(0o077)
        configure_logging(
            config.log, sys.stdout, is_terminal=sys.stdout.isatty(), now_us=clock.now_us
        )
        # Before any file is made: a process that cannot serve leaves nothing behind.
        places = places_of(systems, config)
        classes = look_through(systems, config, data_dir)
        limits = fit(config.edge, stores=len(classes.with_store()), listeners=len(places))
        sockets = _bind_all(places, data_dir)
        with (
            DirectoryLock(data_dir).acquire(holder=" ".join(sys.argv)) as lock,
            asyncio.Runner(loop_factory=_loop_factory()) as runner,
        ):
            refuse_unfinished(data_dir)
            refuse_backup(data_dir)
            _warn_if_open(data_dir)
            runner.run(_serve(systems, config, data_dir, clock, sockets, limits, lock))
    except DressRehearsalError as error:
        print(f"dress-rehearsal: {error}", file=sys.stderr)  # noqa: T201 - the command's own words
        return 2
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=NAME,
        usage="%(prog)s [run [SYSTEM]] [option ...]",
        description="Boot a whole microservice system in this process: what the configuration "
        "lists, or SYSTEM: a file (shop.py), a module (shop), or either with the system's name in "
        "it (shop:SHOP).",
        epilog=f"`{NAME} simulate [SYSTEM]` plays it on virtual time instead; `{NAME} backup`, "
        "`restore` and `accept-loss` are about its data; `new system NAME` writes one to begin "
        "with; see their --help. --version says which release this is.",
    )
    add_configuration(parser)
    return parser.parse_args(arguments)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def _bind_all(places: Sequence[Listener], data_dir: Path) -> Sockets:
    """Take every listener's address. Raises ConfigError.

    Whoever starts twice in one folder is told so: the ports are that other process's.
    """
    try:
        return bind(places)
    except ConfigError as error:
        holder = holder_of(data_dir)
        if holder is None:
            raise
        message = f"{error}. {data_dir} is in use already, by {holder}"
        raise ConfigError(message) from error


async def _serve(
    systems: Sequence[System],
    config: Config,
    data_dir: Path,
    clock: Clock,
    sockets: Sockets,
    limits: Fit,
    lock: DirectoryLock,
) -> None:
    """Bring everything up, wait for a signal, take everything down in reverse.

    The listeners come first: whoever asks a service that is not up yet is told so at once.
    """
    stop = _stop_signal()
    rng = Rng(config.runtime.seed or secrets.randbits(128))
    app = App(
        systems, config, data_dir=data_dir, clock=clock, rng=rng, lock=lock, heard=log_lifecycle
    )
    _log_limits(limits, config)
    await app.listen(limits.config, sockets=sockets, descriptors_max=limits.descriptors_max)
    lock.note_address(loopback(app.addresses["gateway"]))
    about = {"listeners": app.addresses, "data_dir": str(data_dir), "pid": os.getpid()}
    log.info("listening", **about)
    starting = asyncio.ensure_future(app.start())
    try:
        # A signal need not wait until a large database is open.
        first: set[asyncio.Future[Any]] = {starting, stop}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if not stop.done():
            starting.result()
            log.info("ready", **about, unhealthy=app.tree.unhealthy())
        name = await stop
        log.info("draining", signal=name, limit_s=config.runtime.drain_s)
        await app.drain()
    finally:
        await app.stop()
        await starting
        log.info("stopped")


def _log_limits(limits: Fit, config: Config) -> None:
    """Say how many files and connections there may be; a warning where fewer than configured."""
    edge = limits.config
    fits = edge == config.edge
    (log.info if fits else log.warning)(
        "limits" if fits else "connections limited by the open files allowed",
        open_files=limits.limit,
        connections_max=edge.connections_max,
        connections_reserved=edge.connections_reserved,
        backlog_connections=edge.backlog_connections,
    )


def _warn_if_open(data_dir: Path) -> None:
    """Say so where others may read what is in the data folder, which was not made by us."""
    mode = stat.S_IMODE(data_dir.stat().st_mode)
    if mode & 0o077:
        log.warning(
            "the data folder is open to others",
            path=str(data_dir),
            mode=f"{mode:04o}",
            remedy=f"chmod 700 {shlex.quote(str(data_dir))}",
        )


def _stop_signal() -> asyncio.Future[str]:
    """Return a future that the first SIGTERM or SIGINT ends; a second one exits at once."""
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[str] = loop.create_future()

    def on_signal(number: signal.Signals) -> None:
        if stop.done():
            os._exit(128 + number)
        stop.set_result(number.name)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    return stop
