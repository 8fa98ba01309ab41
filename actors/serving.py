"""What `run` does between its arguments and its end: take the addresses, serve, hear a signal."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import stat
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import structlog

from actors.app import App, look_through, loopback, warn_of
from actors.errors import ConfigError
from actors.kernel.lifecycle_log import log_lifecycle
from actors.store.files.backup import refuse_backup, refuse_unfinished
from actors.store.files.directory_lock import holder_of
from actors.system import places_of
from http_edge.listener import bind
from http_edge.sockets.descriptors import fit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import FrameType

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.kernel.rng import Rng
    from actors.live_config import Load
    from actors.store.files.directory_lock import DirectoryLock
    from actors.system import System
    from http_edge.listener import Listener, Sockets
    from http_edge.sockets.descriptors import Fit

log = structlog.get_logger()


class Server:
    """Systems that can be served: what they declare is right, and every address is theirs.

    Made before any file is: a process that cannot serve leaves nothing behind.
    """

    def __init__(
        self,
        systems: Sequence[System],
        config: Config,
        data_dir: Path,
        clock: Clock,
        load: Load,
    ) -> None:
        """Look everything through, and take the addresses. Raises ConfigError.

        `load` reads the configuration anew.
        """
        self._load = load
        self._systems = systems
        self._config = config
        self._data_dir = data_dir
        self._clock = clock
        places = places_of(systems, config)
        self._classes = look_through(systems, config, data_dir)
        stores = len(self._classes.with_store())
        self._limits = fit(config.edge, stores=stores, listeners=len(places))
        self._sockets = _bind_all(places, data_dir)

    async def serve(self, rng: Rng, lock: DirectoryLock) -> None:
        """Bring everything up, wait for a signal, take everything down in reverse.

        The listeners come first: whoever asks a service that is not up yet is told so at once.
        Raises StoreError where the data folder is none to serve from.
        """
        stop = _stop_signal()
        config, data_dir, limits = self._config, self._data_dir, self._limits
        refuse_unfinished(data_dir)
        refuse_backup(data_dir)
        _warn_if_open(data_dir)
        warn_of(self._classes)
        app = App(
            self._systems,
            config,
            data_dir=data_dir,
            clock=self._clock,
            rng=rng,
            lock=lock,
            heard=log_lifecycle,
            looked_through=True,
            load=self._load,
        )
        _reload_on_hangup(app, stop)
        _log_limits(limits, config)
        await app.listen(
            limits.config, sockets=self._sockets, descriptors_max=limits.descriptors_max
        )
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


def _reload_on_hangup(app: App, stop: asyncio.Future[str]) -> None:
    """Have SIGHUP read the configuration anew; who has a terminal has lost it then, and ends.

    Whoever has it ignored, as by nohup, goes on doing so.
    """
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        return
    has_terminal = _has_terminal()  # now, for it is gone by then

    def on_hangup() -> None:
        if has_terminal:
            if not stop.done():
                stop.set_result(signal.SIGHUP.name)
            return
        try:
            app.reload({})
        except ConfigError as error:
            log.error("configuration not reloaded", reason=str(error))  # noqa: TRY400 - it says all

    # Not in that of the request at which it struck, whose id would stand in the log.
    loop, context = asyncio.get_running_loop(), copy_context()

    def hear(*_: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: this is the end already
            loop.call_soon_threadsafe(on_hangup, context=context)

    signal.signal(signal.SIGHUP, hear)
    # One that has come since the process began has waited, see launch.py.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


def _has_terminal() -> bool:
    """Whether the process has a controlling terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _stop_signal() -> asyncio.Future[str]:
    """Return a future that the first SIGTERM or SIGINT ends; a second one exits at once.

    Handlers of the process's, not the loop's: these would be gone before the process is.
    """
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[str] = loop.create_future()
    heard: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if heard:
            os._exit(128 + number)
        heard.append(number)
        with suppress(RuntimeError):  # the loop is closed: this is the end already
            loop.call_soon_threadsafe(stop.set_result, signal.Signals(number).name)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return stop
