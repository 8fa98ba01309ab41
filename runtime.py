"""The composition root and the command line: config -> loop -> tree -> edge."""

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

try:
    import msgspec
    import structlog
except ModuleNotFoundError as missing:
    python = Path(__file__).parent / ".venv" / "bin" / "python"
    print(  # noqa: T201 - the command's own words
        f"dress-rehearsal: {sys.executable} has no {missing.name}; type `make run`, or what works "
        f"after it: {python} {shlex.join(sys.argv)}",
        file=sys.stderr,
    )
    sys.exit(2)

from actors.command_line import COMMANDS, add_configuration, run_command
from actors.config import load_config
from actors.errors import ConfigError, DressRehearsalError
from actors.kernel.clock import SystemClock
from actors.kernel.context import KernelContext
from actors.kernel.dead_letters import DeadLetters
from actors.kernel.lifecycle import Lifecycle
from actors.kernel.lifecycle_log import log_lifecycle
from actors.kernel.rng import Rng
from actors.log import configure_logging
from actors.service.assembly import ServiceSystem
from actors.service.replicas import Replicas
from actors.store.aiosqlite_store import AiosqliteStore
from actors.store.backup import refuse_backup, refuse_unfinished
from actors.store.directory_lock import DirectoryLock, holder_of
from actors.systems.hotel import topology as hotel
from actors.systems.tweets import topology as tweets
from actors.systems.tweets.credentials import (
    VARIABLES,
    XCredentials,
    from_environment,
    load_credentials,
)
from actors.systems.tweets.x_access import XAccess
from actors.systems.x_platform import topology as x_platform
from http_edge.descriptors import fit
from http_edge.edge import Edge
from http_edge.listeners import bind
from http_edge.x_api.credentials import load_embedded_credentials

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from actors.config import Config
    from actors.kernel.messages import Message
    from http_edge.descriptors import Fit
    from http_edge.listeners import Sockets

    Ask = Callable[[str, Message], Awaitable[Any]]

log = structlog.get_logger()

# Few enough to read a seed out, enough that two runs never begin with the same.
FRESH_SEED_BITS = 32

# Whoever only counts the services asks nothing of X.
NOBODY = XCredentials(
    bearer_token="none",  # noqa: S106 - no secret
    consumer_key="none",
    consumer_secret="none",  # noqa: S106
    access_token="0-none",  # noqa: S106
    access_token_secret="none",  # noqa: S106
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the system until SIGTERM or SIGINT; returns the process's exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    clock = SystemClock()
    if arguments[:1] == ["simulate"]:
        # Here, for a server that starts needs none of it.
        from actors.simulation.command.command import simulate  # noqa: PLC0415

        seed = secrets.randbits(FRESH_SEED_BITS)
        return simulate(arguments[1:], program=Path(__file__), fresh_seed=seed, clock=clock)
    if arguments and arguments[0] in COMMANDS:
        return run_command(arguments, clock)
    options = _parse(arguments)
    try:
        config = load_config(options.config, options.set)
        data_dir = Path(options.data_dir or config.runtime.data_dir).absolute()
        # What is in the data folder is nobody else's: also what SQLite makes there.
        os.umask(0o077)
        configure_logging(
            config.log, sys.stdout, is_terminal=sys.stdout.isatty(), now_us=clock.now_us
        )
        # Before any file is made: a process that cannot serve leaves nothing behind.
        limits = fit(config.edge, stores=count_stores(config))
        sockets = _bind_all(config, data_dir)
        with (
            DirectoryLock(data_dir).acquire(holder=" ".join(sys.argv)) as lock,
            asyncio.Runner(loop_factory=_loop_factory()) as runner,
        ):
            refuse_unfinished(data_dir)
            refuse_backup(data_dir)
            _warn_if_open(data_dir)
            runner.run(_serve(config, data_dir, clock, sockets, limits, lock))
    except DressRehearsalError as error:
        print(f"dress-rehearsal: {error}", file=sys.stderr)  # noqa: T201 - the command's own words
        return 2
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="runtime.py",
        description="Boot the whole microservice system in this process.",
        epilog="`runtime.py simulate` plays it on virtual time instead; `runtime.py backup`, "
        "`restore` and `accept-loss` are about its data; see their --help.",
    )
    add_configuration(parser)
    return parser.parse_args(arguments)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def _bind_all(config: Config, data_dir: Path) -> Sockets:
    """Take every listener's address. Raises ConfigError.

    Whoever starts twice in one folder is told so: the ports are that other process's.
    """
    try:
        return bind(config.edge, embedded_x=True)
    except ConfigError as error:
        holder = holder_of(data_dir)
        if holder is None:
            raise
        message = f"{error}. {data_dir} is in use already, by {holder}"
        raise ConfigError(message) from error


async def _serve(
    config: Config,
    data_dir: Path,
    clock: SystemClock,
    sockets: Sockets,
    limits: Fit,
    lock: DirectoryLock,
) -> None:
    """Bring everything up, wait for a signal, take everything down in reverse.

    The listeners come first: whoever asks a service that is not up yet is told so at once.
    """
    stop = _stop_signal()
    access = _x_access(config, data_dir)
    system = build_system(config, data_dir, clock, access, lock)
    _log_limits(limits, config)
    edge = Edge(
        system,
        limits.config,
        data_dir=data_dir,
        descriptors_max=limits.descriptors_max,
        log_requests=config.log.level == "debug",
        x_platform=config.x_platform,
        sockets=sockets,
    )
    await edge.start()
    lock.note_address(_loopback(edge.addresses["gateway"]))
    about = {"listeners": edge.addresses, "data_dir": str(data_dir), "pid": os.getpid()}
    log.info("listening", **about)
    starting = asyncio.ensure_future(_start(system, edge, access))
    try:
        # A signal need not wait until a large database is open.
        first: set[asyncio.Future[Any]] = {starting, stop}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if not stop.done():
            starting.result()
            log.info("ready", **about, unhealthy=system.unhealthy())
        name = await stop
        log.info("draining", signal=name, limit_s=config.runtime.drain_s)
        access.leaving = True
        system.leave()
        await edge.drain(config.runtime.drain_s)
    finally:
        await system.stop()
        await starting
        log.info("stopped")


async def _start(system: ServiceSystem, edge: Edge, access: XAccess) -> None:
    """Start every service; what reads the embedded X waits for that one alone."""
    starting = asyncio.ensure_future(system.start())
    if access.simulator:
        await asyncio.sleep(0)  # by then the root has begun; and then its children have
        await system.registry.actor("root").first_start()
        await system.registry.actor("x_platform").first_start()
        access.open(_loopback(edge.addresses["x_platform"]))
    await starting


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


def _x_access(config: Config, data_dir: Path) -> XAccess:
    """Return X itself where its credentials are given, else the embedded one. Raises ConfigError.

    The environment's credentials go before the file's.
    """
    credentials = None
    if config.x.platform != "simulator":
        credentials = from_environment(os.environ)
        if credentials is None and config.x.credentials_file:
            credentials = load_credentials(Path(config.x.credentials_file).expanduser())
    if credentials is not None:
        access = XAccess(
            credentials, simulator=False, write=config.x.write, base_url=config.x.base_url
        )
    elif config.x.platform == "x":
        message = (
            f'configuration: x.platform is "x", and there are no credentials; set '
            f"{', '.join(VARIABLES.values())}, or x.credentials_file"
        )
        raise ConfigError(message)
    else:
        embedded = load_credentials(load_embedded_credentials(data_dir))
        access = XAccess(embedded, simulator=True, write=True, base_url=config.x.base_url)
    _bind(data_dir, access)
    log.info(
        "x",
        platform="the embedded simulator" if access.simulator else "X itself",
        account=access.user_id,
        likes_and_replies="sent" if access.write else "recorded only",
    )
    return access


def _bind(data_dir: Path, access: XAccess) -> None:
    """Keep the data of one account from another's. Raises ConfigError.

    Likes and replies that wait in the files name tweets of the X they were read from: at another
    one the same ids are strangers' tweets.
    """
    path = data_dir / "x.account"
    account = access.account
    try:
        kept = path.read_text(encoding="utf-8").strip() if path.exists() else ""
        if not kept:
            path.touch(mode=0o600)
            path.write_text(f"{account}\n", encoding="utf-8")
        if path.stat().st_mode & 0o177:  # it was made with the umask's mode once
            path.chmod(0o600)
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot note in {path} whose data this is: {error}"
        raise ConfigError(message) from error
    if kept not in {"", account}:
        message = (
            f"the data in {data_dir} belong to the account at {kept}, and not at {account}; "
            f"choose another --data-dir, or say with x.platform which X is meant"
        )
        raise ConfigError(message)


def _loopback(url: str) -> str:
    """Return where this process itself reaches a listener, which may be on all interfaces."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def build_system(
    config: Config,
    data_dir: Path,
    clock: SystemClock,
    access: XAccess,
    lock: DirectoryLock | None = None,
) -> ServiceSystem:
    """Wire the services into a tree, each with a store of its own; nothing runs yet."""
    rng = Rng(config.runtime.seed or secrets.randbits(128))
    events = Lifecycle()
    events.subscribe(log_lifecycle)
    context = KernelContext(
        loop=asyncio.get_running_loop(),
        clock=clock,
        rng=rng,
        lifecycle=events,
        dead_letters=DeadLetters(
            capacity=config.service.dead_letters_max, clock=clock, events=events
        ),
    )

    def ask(service: str, message: Message) -> Awaitable[Any]:
        return system.ask(service, message, timeout_s=config.effect.effect_s_max)

    embedded = config.x_platform
    if not access.simulator:  # nobody would read them
        embedded = msgspec.structs.replace(embedded, tweets_per_s=0.0)
    services = _services(msgspec.structs.replace(config, x_platform=embedded), ask, access)
    system = ServiceSystem(
        services,
        config=config,
        data_dir=data_dir,
        context=context,
        store=AiosqliteStore,
        lock=lock,
    )
    return system


def count_stores(config: Config) -> int:
    """How many services keep a file, before any is opened. Raises ConfigError."""

    async def ask(service: str, message: Message) -> Any:
        raise AssertionError(service, message)

    nowhere = XAccess(NOBODY, simulator=True, write=False)
    services = _services(config, ask, nowhere).values()
    return sum(not isinstance(each, Replicas) for each in services)


def _services(config: Config, ask: Ask, access: XAccess) -> dict[str, Any]:
    return {
        **hotel.services(config.hotel, ask),
        **tweets.services(config.tweets, config.x, ask, access),
        **x_platform.services(config.x_platform, keywords=config.tweets.keywords),
    }


if __name__ == "__main__":
    sys.exit(main())
