"""The one composition root: systems and a configuration become a tree, its stores, and an edge."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from actors.aiohttp_transport import AiohttpTransport
from actors.errors import ConfigError, SchemaError, declared
from actors.kernel.context import KernelContext
from actors.kernel.dead_letters import DeadLetters
from actors.kernel.lifecycle import Lifecycle
from actors.live_config import LiveConfig, change_keys, key_of
from actors.log import set_level
from actors.otlp.otlp_export import check_export, export_to
from actors.service.assembly import THREADS, ServiceClasses, ServiceSystem, made_of
from actors.service.bound_effect import bound_effects, rest_s
from actors.service.group import check_groups
from actors.service.send_check import Sends
from actors.service.service import Service
from actors.service.sharded.shard_check import check_shards
from actors.service.sharded.sharded import Sharded
from actors.service.stateless.replicas import Replicas
from actors.service.stateless.thread_runner import ThreadRunner
from actors.store.aiosqlite_store import AiosqliteStore
from actors.store.files.schema_check import check_schema
from actors.system import Wiring, each_service, listeners_of, services_of, unbooted, with_outside
from http_edge.edge import Edge, check_listeners

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from actors.config import Config, EdgeConfig
    from actors.kernel.clock import Clock
    from actors.kernel.discovery.standings import Registration
    from actors.kernel.lifecycle import LifecycleEvent
    from actors.kernel.messages import Message
    from actors.kernel.rng import Rng
    from actors.live_config import Load, Reloaded
    from actors.service.assembly import AnyService, StoreType
    from actors.service.backing_up import Aside
    from actors.service.group import Group
    from actors.service.remote.transport import TransportType
    from actors.service.stateless.runner import RunnerType
    from actors.store.files.directory_lock import DirectoryLock
    from actors.system import Ask, System
    from http_edge.listener import Sockets

log = structlog.get_logger()


class App:
    """One process's systems. Made on the loop's thread, of what the command line or a test has.

    `tree` are the services under their supervisors, `outside` is what was made of the dependencies,
    by name.
    """

    def __init__(  # noqa: PLR0913 - all that two processes may differ by
        self,
        systems: Sequence[System],
        config: Config,
        *,
        data_dir: Path,
        clock: Clock,
        rng: Rng,
        store: StoreType = AiosqliteStore,
        runner: RunnerType = ThreadRunner,
        transport: TransportType = AiohttpTransport,
        aside: Aside = THREADS,
        lock: DirectoryLock | None = None,
        simulated: bool = False,
        heard: Callable[[LifecycleEvent], None] | None = None,
        ambient: Context | None = None,
        instrument: Callable[[str, AnyService], AnyService] = lambda _, service: service,
        at_a_distance: Callable[[Ask], Ask] = lambda ask: ask,
        looked_through: bool = False,
        load: Load | None = None,
    ) -> None:
        """Wire everything; nothing runs yet, but files are laid out in `data_dir`.

        `simulated` chooses the world outside. `heard` is told what becomes of actors, which work
        in the context `ambient`. A simulation may `instrument` services, by name, and put a
        distance between an effect and a service that it asks. Whoever has `looked_through` the
        systems spares them another look. `load` reads the configuration anew. Raises ConfigError.
        """
        if not (simulated or looked_through):  # who rehearses has looked once, for all the runs
            warn_of(look_through(systems, config, data_dir))
        self.config = config
        self._live = None
        if load is not None:
            self._live = LiveConfig(
                config, systems, load, lambda new: look_through(systems, new, data_dir)
            )
        self._edge_config = config.edge
        self.leaving = False
        self._data_dir = data_dir
        self._simulated = simulated
        self._systems = systems
        self._edge: Edge | None = None
        self._listening = asyncio.Event()
        self._urls: dict[str, str] = {}
        self._export = None if simulated else export_to(config.trace.otlp)
        events = Lifecycle()
        if heard is not None:
            events.subscribe(heard)
        context = KernelContext(
            loop=asyncio.get_running_loop(),
            clock=clock,
            rng=rng,
            lifecycle=events,
            dead_letters=DeadLetters(
                capacity=config.service.dead_letters_max, clock=clock, events=events
            ),
            ambient=Context() if ambient is None else ambient,
        )
        for system in systems:
            with declared(system.name, "lay_out"):
                system.lay_out(data_dir)
        wiring = Wiring(
            config=config, data_dir=data_dir, ask=at_a_distance(self._ask), process=self
        )
        wiring = with_outside(systems, wiring, simulated=simulated)
        self.outside = wiring.outside
        services = services_of(systems, wiring)
        self._listeners = listeners_of(systems, wiring)
        self.tree = ServiceSystem(
            {name: instrument(name, service) for name, service in services.items()},
            config=config,
            data_dir=data_dir,
            context=context,
            store=store,
            runner=runner,
            transport=transport,
            aside=aside,
            lock=lock,
            groups=[group for system in systems for group in system.supervision],
            export=self._export,
        )

    @property
    def edge(self) -> Edge:
        """What listens, once it does."""
        assert self._edge is not None, "`listen` comes first"
        return self._edge

    @property
    def addresses(self) -> dict[str, str]:
        """Each listener's URL with the port it is really bound to; empty before `listen`."""
        return {} if self._edge is None else self._edge.addresses

    async def listen(
        self,
        config: EdgeConfig | None = None,
        *,
        sockets: Sockets | None = None,
        descriptors_max: int | None = None,
    ) -> None:
        """Serve at every address; whoever asks a service that is not up yet is told so.

        `config` has the edge's limits as they are possible, else they are as configured; see Edge.
        Raises ConfigError.
        """
        self._edge_config = config or self.config.edge
        self._edge = Edge(
            self.tree,
            self._edge_config,
            self._listeners,
            data_dir=self._data_dir,
            log_requests=self.config.log.level == "debug",
            sockets=sockets,
            descriptors_max=descriptors_max,
            simulated=self._simulated,
            looked_through=True,
            reload=None if self._live is None else self.reload,
        )
        await self._edge.start()
        self._urls = self.addresses  # a copy: whoever still asks while it drains gets an answer
        self._listening.set()

    async def start(self) -> None:
        """Start every service; returns when each is up, or has failed its first start."""
        if self._export is not None:
            self._export.start()
        await self.tree.start()

    def reload(self, more: Mapping[str, Any]) -> Reloaded:
        """Read the configuration anew, with `more` laid over it, and apply what can be.

        Raises ConfigError, and nothing is changed.
        """
        assert self._live is not None, "who reloads says how it is loaded"
        before = self._replicas()
        reloaded = self._live.reload(more)
        config = self.config
        # Its own copy, where fewer connections fit than are configured.
        change_keys(
            self._edge_config, {each: key_of(config, each) for each in reloaded.applied}, "edge."
        )
        if "log.level" in reloaded.applied:
            set_level(config.log.level)
        self.tree.reconfigured()
        if "service.replicas" in reloaded.applied:
            self._scale(before)
        if self._edge is not None:
            self._edge.reconfigured(log_requests=config.log.level == "debug")
        log.info(
            "configuration reloaded",
            applied=reloaded.applied,
            needs_restart=reloaded.needs_restart,
        )
        return reloaded

    async def drain(self) -> None:
        """Accept nothing more, and answer what has been asked."""
        self.leaving = True
        self.tree.leave()
        if self._edge is not None:
            await self._edge.drain(self.config.runtime.drain_s)

    async def stop(self) -> None:
        """Stop the tree in reverse order; then what it has left behind of traces may leave."""
        await self.tree.stop()
        if self._export is not None:
            await self._export.close()

    async def url_of(self, listener: str, *, service: str) -> str:
        """Return where this process itself reaches its listener, once `service` is up."""
        await self._listening.wait()
        for actor in self.tree.registry.replicas(service):
            await actor.first_start()
        return loopback(self._urls[listener])

    async def registry(
        self, *, after: int | None = None, wait_s: float = 0.0
    ) -> tuple[int, Sequence[Registration]]:
        """Return how all services stand, once that is not version `after`; see Process."""
        if after is not None:
            await self.tree.registry_changed(after, wait_s)
        return self.tree.registry_version(), self.tree.registry_snapshot()

    def _replicas(self) -> dict[str, int]:
        """Return how many replicas of each service are wanted as it is configured."""
        wiring = unbooted(self._systems, self.config, self._data_dir)
        return {
            name: service.count if isinstance(service, Replicas) else 1
            for _, name, service in each_service(self._systems, wiring)
        }

    def _scale(self, before: Mapping[str, int]) -> None:
        """Begin to have as many as are wanted where that is another number than `before`."""
        for name, replicas in self._replicas().items():
            if replicas != before[name]:
                self.tree.begin_to_scale(name, replicas).add_done_callback(
                    partial(_note_scaled, name, replicas)
                )

    def _ask(self, service: str, message: Message) -> Awaitable[Any]:
        # Of an effect, until its attempt ends, as long as its author lets it take; of a `run`,
        # which has no limit of its own, as long as an effect of which nothing is said.
        rest = rest_s()
        limit_s = self.config.effect.effect_s_max if rest is None else rest
        return self.tree.ask_for_effect(service, message, timeout_s=limit_s)


def _note_scaled(service: str, replicas: int, scaled: asyncio.Task[int]) -> None:
    error = None if scaled.cancelled() else scaled.exception()
    if error is not None:
        log.error("not scaled", service=service, replicas=replicas, reason=str(error))


def loopback(url: str) -> str:
    """Return where this process itself reaches a listener, which may be on all interfaces."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def look_through(systems: Sequence[System], config: Config, data_dir: Path) -> ServiceClasses:
    """Return what the systems' services are; no file is made, and none runs.

    Raises ConfigError where something in a declaration is wrong.
    """
    check_export(config.trace.otlp)
    wiring = unbooted(systems, config, data_dir)
    classes, owners = ServiceClasses(), {}
    for system, name, service in each_service(systems, wiring):
        with _of(system), declared(system.name, f"service {name!r}"):
            made = made_of(name, service)
            classes.add(name, service, made)
            owners[name] = system
            if isinstance(made, Service):
                check_schema(made.schema, type(made).__name__)
                if isinstance(service, Sharded):
                    check_shards(name, service, made)
                bound_effects(name, made, config)  # what their options say, by functions too
    _check_effect_tables(systems, owners, config)
    _check_instances(classes, config)
    groups: list[Group] = []
    for system in systems:
        groups += system.supervision
        with _of(system):
            check_groups(groups, classes)
    check_listeners(listeners_of(systems, wiring), classes)
    classes.sends = Sends(classes, classes.sharded)
    faults = [f"{owners[name].name}: {name} {fault}" for name, fault in classes.sends.faults()]
    if faults:
        raise ConfigError("\n  ".join(["these lines would send what nobody takes:", *faults]))
    kept = [f"{owners[name].name}: {name} {fault}" for name, fault in classes.sends.unforgotten()]
    if kept:
        raise ConfigError("\n  ".join(["these answers would be kept too long:", *kept]))
    return classes


def _check_effect_tables(
    systems: Sequence[System], owners: Mapping[str, System], config: Config
) -> None:
    """Raise ConfigError where a section speaks of effects of what is no service of its system's."""
    for section, tables in config.effect_tables():
        system = next(each for each in systems if section in each.config)
        services = [name for name, owner in owners.items() if owner is system]
        for service in tables:
            if service not in services:
                message = (
                    f"{system.name}: configuration: [{section}.effects] has no service {service!r};"
                    f" there are {', '.join(services)}"
                )
                raise ConfigError(message)


def _check_instances(classes: ServiceClasses, config: Config) -> None:
    """Raise ConfigError where replicas, or a balance, are wanted of what is no service."""
    for key, names in (("replicas", config.service.replicas), ("balance", config.service.balance)):
        for name in names:
            if name not in classes:
                message = (
                    f"configuration: service.{key}: there is no service {name!r}; "
                    f"there are {', '.join(classes)}"
                )
                raise ConfigError(message)


def warn_of(classes: ServiceClasses) -> None:
    """Say which events come from nobody here, and what may be sent to nobody.

    These may be of a system that is not booted.
    """
    for name, fault in classes.sends.faults(sure=False):
        log.warning("a line may send what nobody takes", service=name, fault=fault)
    for name, event_type in classes.sends.unpublished():
        log.warning("nobody publishes what a service hears", service=name, event_type=event_type)


@contextmanager
def _of(system: System) -> Iterator[None]:
    """What is found wrong within is this system's, and says so."""
    try:
        yield
    except (ConfigError, SchemaError) as error:
        whose = "" if str(error).startswith(f"{system.name}: ") else f"{system.name}: "
        message = f"{whose}{error}"
        raise ConfigError(message) from error
