"""All listeners over one system: they start together, and drain before the system stops."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from actors.errors import ConfigError
from http_edge.admin_token import load_admin_token
from http_edge.answer import HttpDate
from http_edge.connection_factory import ConnectionFactory
from http_edge.edge_context import EdgeContext
from http_edge.endpoints.admin import ADMIN
from http_edge.endpoints.front_page import front_page
from http_edge.endpoints.health import HEALTH
from http_edge.endpoints.metrics_endpoint import METRICS
from http_edge.listener import GATEWAY
from http_edge.metrics.edge_counts import EdgeCounts
from http_edge.metrics.loop_lag import LoopLag
from http_edge.sockets.acceptor import Acceptor
from http_edge.table_check import check

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from actors.config import EdgeConfig
    from http_edge.address import Address
    from http_edge.edge_context import Reload
    from http_edge.endpoints.front_page import Urls
    from http_edge.gateway import Gateway
    from http_edge.listener import Listener, Sockets
    from http_edge.served_system import Handling, ServedSystem

log = structlog.get_logger()

# What is still running after the drain's limit gets this long to notice that it is cancelled.
_CANCEL_S = 0.1


class Edge:
    """The HTTP side of a running system.

    From a descriptor of the number `descriptors_max` on, a connection is one too many.
    `log_requests` logs one line a request at debug; off, building it costs nothing.
    """

    def __init__(  # noqa: PLR0913 - all that two edges may differ by
        self,
        system: ServedSystem,
        config: EdgeConfig,
        listeners: Iterable[Listener],
        *,
        data_dir: Path,
        log_requests: bool = False,
        sockets: Sockets | None = None,
        descriptors_max: int | None = None,
        simulated: bool = False,
        looked_through: bool = False,
        reload: Reload | None = None,
    ) -> None:
        """No two `listeners` of one name; `sockets` are bound already, else `start` binds.

        How late the loop is, is not looked for where time is `simulated`. `reload` has the
        configuration read anew.

        Raises ConfigError that names all that is wrong with the addresses, but where somebody has
        `looked_through` them.
        """
        self._config = config
        self._sockets = sockets or {}
        self._descriptors_max = descriptors_max
        lag = LoopLag(system.clock, config.loop_lag_period_s)
        self._context = EdgeContext(
            system=system,
            config=config,
            date=HttpDate(system.clock),
            admin_token=load_admin_token(data_dir),
            counts=EdgeCounts(loop_lag=None if simulated else lag),
            log_requests=log_requests,
            reload=reload,
        )
        found = _whole(listeners, lambda: self.addresses)
        if not looked_through:
            check(found, system)
        self._gateways = [
            (each, each.gateway(each.addresses, self._context, host=each.host)) for each in found
        ]
        for listener, gateway in self._gateways:
            self._context.counts.listeners[listener.name] = gateway.counts
        self._factories: dict[str, ConnectionFactory] = {}
        self._servers: dict[str, list[Acceptor | asyncio.Server]] = {}

    @property
    def addresses(self) -> dict[str, str]:
        """Each listener's URL with the port it is really bound to, such as http://127.0.0.1:9000."""
        return {name: _url(servers[0]) for name, servers in self._servers.items()}

    async def start(self) -> None:
        """Listen on all addresses, or on none and raise ConfigError naming the one in the way."""
        for listener, gateway in self._gateways:
            try:
                await self._listen(listener, gateway)
            except OSError as error:
                await self.drain(0)
                message = (
                    f"cannot listen on {listener.host}:{listener.port}: {error.strerror or error};"
                    f" choose another edge.{listener.name}.port, or 0 for any that is free"
                )
                raise ConfigError(message) from error

    async def _listen(self, listener: Listener, gateway: Gateway) -> None:
        name = listener.name
        factory = ConnectionFactory(gateway, self._config, descriptors_max=self._descriptors_max)
        loop, backlog = asyncio.get_running_loop(), self._config.backlog_connections
        self._factories[name] = self._context.counts.connected[name] = factory
        servers = self._servers[name] = []
        for bound in self._sockets.get(name, ()):
            servers.append(Acceptor(bound, factory, backlog=backlog))  # noqa: PERF401 - one may raise: those before it are closed
        if not servers:  # a simulation has no sockets
            host, port = listener.host, listener.port
            servers.append(await loop.create_server(factory, host, port, backlog=backlog))
        gateway.bound_to(sock.getsockname()[0] for server in servers for sock in server.sockets)

    def reconfigured(self, *, log_requests: bool) -> None:
        """Hear that the configuration has other values: who has copies takes new ones."""
        self._context.log_requests = log_requests
        self._context.admissions.reconfigured()
        for each in self._context.asks:
            each.reconfigured()

    async def drain(self, limit_s: float) -> None:
        """Accept nothing more, end what is in flight within `limit_s` seconds, close the rest.

        Idle connections are closed at once; a busy one's answer says that it is its last.
        """
        self._context.draining = True
        for servers in self._servers.values():
            for server in servers:
                server.close()
        # A request that has just arrived needs two turns of the loop until its handler runs, and a
        # connection that was just taken three until it is one.
        for _ in range(3):
            await asyncio.sleep(0)
        self._context.end_the_endless()
        try:
            async with asyncio.timeout(limit_s):
                await asyncio.gather(*(each.finish() for each in self._factories.values()))
        except TimeoutError:
            cut = sum(len(factory.connections) for factory in self._factories.values())
            log.warning("drain limit reached", connections_cut=cut, limit_s=limit_s)
            await asyncio.gather(*(each.shutdown(_CANCEL_S) for each in self._factories.values()))
        self._factories.clear()
        self._servers.clear()


def check_listeners(listeners: Iterable[Listener], system: Handling) -> None:
    """Raise ConfigError that names all that is wrong with the addresses, the edge's among them."""
    check(_whole(listeners, dict), system)


def _whole(listeners: Iterable[Listener], urls: Urls) -> list[Listener]:
    """Return the listeners, the gateway with the edge's own addresses; `urls` are shown there."""
    own, shown = (*HEALTH, *METRICS, *ADMIN), [*listeners]
    page = front_page(_with((), shown, own), urls)
    # The edge's own come first: of two rows that contradict each other, the later is blamed.
    return _with((*page, *own), shown, ())


def _with(
    before: Iterable[Address], listeners: Iterable[Listener], after: Iterable[Address]
) -> list[Listener]:
    """Return the listeners, the gateway with these addresses before and after its own."""
    return [
        replace(each, addresses=(*before, *each.addresses, *after))
        if each.name == GATEWAY
        else each
        for each in listeners
    ]


def _url(server: Acceptor | asyncio.Server) -> str:
    host, port, *_ = server.sockets[0].getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
