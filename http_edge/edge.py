"""All listeners over one system: they start together, and drain before the system stops."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from actors.errors import ConfigError
from http_edge.admin_token import load_admin_token
from http_edge.answer import HttpDate
from http_edge.connection_factory import ConnectionFactory
from http_edge.gateway import Gateway
from http_edge.handler import Context
from http_edge.listeners import listeners
from http_edge.routes import rows
from http_edge.tutorial_gateway import MuxGateway, TutorialGateway
from http_edge.x_api.api import XApi

if TYPE_CHECKING:
    from pathlib import Path

    from actors.config import EdgeConfig, ListenerConfig
    from actors.systems.x_platform.config import XPlatformConfig
    from http_edge.listeners import Sockets
    from http_edge.system import System

log = structlog.get_logger()

# What is still running after the drain's limit gets this long to notice that it is cancelled.
_CANCEL_S = 0.1
# The listeners of the published tutorials, by what their programs route with.
_TUTORIALS = {"hotel": TutorialGateway, "tweets": MuxGateway}


class Edge:
    """The HTTP side of a running system.

    From a descriptor of the number `descriptors_max` on, a connection is one too many.
    `log_requests` logs one line a request at debug; off, building it costs nothing. With
    `x_platform` there is a listener more, on which the embedded X speaks X API v2.
    """

    def __init__(
        self,
        system: System,
        config: EdgeConfig,
        *,
        data_dir: Path,
        log_requests: bool = False,
        x_platform: XPlatformConfig | None = None,
        sockets: Sockets | None = None,
        descriptors_max: int | None = None,
    ) -> None:
        """`sockets` are bound already, by listener; without them `start` binds."""
        self._config = config
        self._sockets = sockets or {}
        self._descriptors_max = descriptors_max
        self._context = Context(
            system=system,
            config=config,
            date=HttpDate(system.clock),
            admin_token=load_admin_token(data_dir),
            log_requests=log_requests,
        )
        self._x = None if x_platform is None else XApi(self._context, x_platform, data_dir)
        self._factories: dict[str, ConnectionFactory] = {}
        self._servers: dict[str, list[asyncio.Server]] = {}

    @property
    def addresses(self) -> dict[str, str]:
        """Each listener's URL with the port it is really bound to, such as http://127.0.0.1:9000."""
        return {name: _url(servers[0]) for name, servers in self._servers.items()}

    async def start(self) -> None:
        """Listen on all addresses, or on none and raise ConfigError naming the one in the way."""
        for name, listener in listeners(self._config, embedded_x=self._x is not None).items():
            try:
                await self._listen(name, listener)
            except OSError as error:
                await self.drain(0)
                message = (
                    f"cannot listen on {listener.host}:{listener.port}: {error.strerror or error};"
                    f" choose another edge.{name}.port, or 0 for any that is free"
                )
                raise ConfigError(message) from error

    async def _listen(self, name: str, listener: ListenerConfig) -> None:
        gateway = self._gateway(name)
        factory = ConnectionFactory(gateway, self._config, descriptors_max=self._descriptors_max)
        loop, backlog = asyncio.get_running_loop(), self._config.backlog_connections
        self._factories[name] = factory
        servers = self._servers[name] = [
            await loop.create_server(factory, sock=bound, backlog=backlog)
            for bound in self._sockets.get(name, ())
        ]
        if not servers:
            host, port = listener.host, listener.port
            servers.append(await loop.create_server(factory, host, port, backlog=backlog))
        gateway.bound_to(sock.getsockname()[0] for server in servers for sock in server.sockets)

    def _gateway(self, listener: str) -> Gateway:
        if self._x is not None and listener == "x_platform":
            return self._x.gateway()
        more = self._x.admin_rows() if self._x is not None and listener == "gateway" else []
        made = _TUTORIALS.get(listener, Gateway)
        return made([*rows(listener), *more], self._context, listener=listener)

    async def drain(self, limit_s: float) -> None:
        """Accept nothing more, end what is in flight within `limit_s` seconds, close the rest.

        Idle connections are closed at once; a busy one's answer says that it is its last.
        """
        self._context.draining = True
        for servers in self._servers.values():
            for server in servers:
                server.close()
        # A request that has just arrived needs two turns of the loop until its handler runs.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if self._x is not None:
            self._x.drain()
        try:
            async with asyncio.timeout(limit_s):
                await asyncio.gather(*(each.finish() for each in self._factories.values()))
        except TimeoutError:
            cut = sum(len(factory.connections) for factory in self._factories.values())
            log.warning("drain limit reached", connections_cut=cut, limit_s=limit_s)
            await asyncio.gather(*(each.shutdown(_CANCEL_S) for each in self._factories.values()))
        self._factories.clear()
        self._servers.clear()


def _url(server: asyncio.Server) -> str:
    host, port, *_ = server.sockets[0].getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
