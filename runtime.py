"""The composition root and the command line: config -> loop -> tree -> edge."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from actors.config import load_config
from actors.errors import DressRehearsalError
from actors.kernel.clock import SystemClock
from actors.kernel.context import KernelContext
from actors.kernel.dead_letters import DeadLetters
from actors.kernel.lifecycle import Lifecycle
from actors.kernel.lifecycle_log import log_lifecycle
from actors.kernel.rng import Rng
from actors.log import configure_logging
from actors.service.assembly import ServiceSystem
from actors.store.aiosqlite_store import AiosqliteStore
from actors.store.directory_lock import DirectoryLock
from actors.systems.hotel import topology as hotel
from actors.systems.tweets import topology as tweets
from http_edge.edge import Edge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from actors.config import Config
    from actors.kernel.messages import Message

log = structlog.get_logger()

# Few enough to read a seed out, enough that two runs never begin with the same.
FRESH_SEED_BITS = 32


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the system until SIGTERM or SIGINT; returns the process's exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    clock = SystemClock()
    if arguments[:1] == ["simulate"]:
        # Here, for a server that starts needs none of it.
        from actors.simulation.command import simulate  # noqa: PLC0415

        seed = secrets.randbits(FRESH_SEED_BITS)
        return simulate(arguments[1:], program=Path(__file__), fresh_seed=seed, clock=clock)
    options = _parse(arguments)
    try:
        config = load_config(options.config, options.set)
        data_dir = Path(options.data_dir or config.runtime.data_dir).absolute()
        configure_logging(
            config.log, sys.stdout, is_terminal=sys.stdout.isatty(), now_us=clock.now_us
        )
        with (
            DirectoryLock(data_dir).acquire(holder=" ".join(sys.argv)),
            asyncio.Runner(loop_factory=_loop_factory()) as runner,
        ):
            runner.run(_serve(config, data_dir, clock))
    except DressRehearsalError as error:
        print(f"dress-rehearsal: {error}", file=sys.stderr)  # noqa: T201 - the command's own words
        return 2
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="runtime.py",
        description="Boot the whole microservice system in this process.",
        epilog="`runtime.py simulate` plays it on virtual time instead; see its --help.",
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="laid over the shipped config.toml, key by key"
    )
    parser.add_argument("--data-dir", metavar="DIR", help="overrides runtime.data_dir")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="overrides one key, such as edge.gateway.port=0 (repeatable)",
    )
    return parser.parse_args(arguments)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def _serve(config: Config, data_dir: Path, clock: SystemClock) -> None:
    """Bring everything up, wait for a signal, take everything down in reverse."""
    stop = _stop_signal()
    system = build_system(config, data_dir, clock)
    starting = asyncio.ensure_future(system.start())
    try:
        # A signal need not wait until a large database is verified.
        first: set[asyncio.Future[Any]] = {starting, stop}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if stop.done():
            return
        edge = Edge(
            system, config.edge, data_dir=data_dir, log_requests=config.log.level == "debug"
        )
        await edge.start()
        log.info(
            "ready",
            listeners=edge.addresses,
            data_dir=str(data_dir),
            pid=os.getpid(),
            unhealthy=system.unhealthy(),
        )
        name = await stop
        log.info("draining", signal=name, limit_s=config.runtime.drain_s)
        await edge.drain(config.runtime.drain_s)
    finally:
        await system.stop()
        await starting
        log.info("stopped")


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


def build_system(config: Config, data_dir: Path, clock: SystemClock) -> ServiceSystem:
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

    services = {**hotel.services(config.hotel, ask), **tweets.services()}
    system = ServiceSystem(
        services, config=config, data_dir=data_dir, context=context, store=AiosqliteStore
    )
    return system


if __name__ == "__main__":
    sys.exit(main())
