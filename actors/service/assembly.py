"""All services of a system, wired: what a composition root, a test and a simulation share."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import msgspec

from actors.errors import (
    ConfigError,
    LetterNotReplayable,
    NoSuchActor,
    NoSuchBreaker,
    NoSuchLetter,
    ServiceUnavailable,
    StoreError,
)
from actors.faults.lab.fault_lab import FaultLab
from actors.kernel.actor_system import ActorSystem
from actors.kernel.discovery.balance import KEY
from actors.kernel.messages import type_name
from actors.kernel.supervision.child_spec import SupervisorSpec
from actors.measures.cache_counts import CacheCounts
from actors.measures.measured import Measured
from actors.resilience.background_gate import BackgroundGate
from actors.service.backing_up import Backups, Threads
from actors.service.bound_effect import bound_effects
from actors.service.directory import Directory
from actors.service.group import ROOT, grouped
from actors.service.hosted_service import HostedService
from actors.service.operator_calls import OperatorCalls
from actors.service.remote.remote import Remote, RemoteStub, stub_of
from actors.service.remote.remote_host import remote_child
from actors.service.remote.remote_service import RemoteService
from actors.service.service import Service, StatelessService
from actors.service.service_host import service_child
from actors.service.sharded.merging import merging_of
from actors.service.sharded.sharded import Sharded
from actors.service.sharded.sharded_asks import ShardedAsks
from actors.service.stateless.replicas import Instances, Replicas, actor_names
from actors.service.stateless.runner import RunnerSpec
from actors.service.stateless.stateless_host import stateless_child
from actors.service.stateless.thread_runner import ThreadRunner
from actors.store.files.data_folder import DataFolder
from actors.store.store import StoreSpec
from actors.tracing.trace_tree import TracedRequests, slowest_of, tree_of
from actors.tracing.tracing import Tracing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from actors.config import Config, StoreConfig
    from actors.faults.lab.seams import ServiceSeam
    from actors.kernel.clock import Clock
    from actors.kernel.context import KernelContext
    from actors.kernel.discovery.sharding import Sharding
    from actors.kernel.messages import Message
    from actors.kernel.rng import Rng
    from actors.kernel.supervision.child_spec import ChildSpec
    from actors.resilience.background_gate import BackgroundStats
    from actors.resilience.breaker import Breaker, BreakerStats, Forced
    from actors.service.backing_up import Aside, BackedUp
    from actors.service.channel import ChannelStats
    from actors.service.group import Group
    from actors.service.letters import Replayed
    from actors.service.operator_calls import TimerStats
    from actors.service.remote.transport import TransportType
    from actors.service.send_check import Sends
    from actors.service.stateless.runner import Runner, RunnerType
    from actors.store.files.directory_lock import DirectoryLock
    from actors.store.store import Store
    from actors.tracing.span_export import SpanExport
    from actors.tracing.trace_span import TraceSpan
    from actors.tracing.trace_tree import TraceTree

    AnyService = (
        Callable[[], Service] | Callable[[], StatelessService] | Replicas | Sharded | Remote
    )

    class StoreType(Protocol):
        """Makes a store that is not open yet."""

        def __call__(
            self, spec: StoreSpec, config: StoreConfig, *, clock: Clock, rng: Rng
        ) -> Store: ...


THREADS: Final = Threads()


class ServiceClasses(dict[str, type[Service | StatelessService | RemoteStub]]):
    """The services' classes by name: what can be asked of them, though none runs.

    `sends` is what they send, once that was looked at; `sharded` are those in shards.
    """

    sends: Sends

    def __init__(self) -> None:
        """None yet."""
        super().__init__()
        self.sharded: dict[str, Sharding] = {}

    def add(
        self, name: str, service: AnyService, made: Service | StatelessService | RemoteStub
    ) -> None:
        """Add what stands under that name, and was made."""
        self[name] = type(made)
        if isinstance(service, Sharded):
            self.sharded[name] = service.sharding(name)

    def handles(self, service: str, message_type: type[Message], /) -> bool:
        """Whether the service can be asked such a message. Raises NoSuchActor."""
        found = self.get(service)
        if found is None:
            message = f"no service is called {service!r}; there are {', '.join(self)}"
            raise NoSuchActor(message)
        spec = found.handlers.get(message_type)
        return spec is not None and spec.kind in {"command", "query"}

    def reply_type(self, service: str, message_type: type[Message]) -> Any:
        """Return what the handler, which there is, is typed to reply, Refusal and Later aside."""
        return self[service].handlers[message_type].reply

    def with_store(self) -> list[str]:
        """Return the names of those that keep a file: of a sharded service, its shards'."""
        return [
            place
            for name, each in self.items()
            if issubclass(each, Service)
            for place in (self.sharded[name].names() if name in self.sharded else [name])
        ]

    def of_file(self, name: str) -> type[Service] | None:
        """Return whose file has that name, a service's or a shard's; None where nobody's has."""
        if name not in self.with_store():
            return None
        found: Any = self.get(name) or self[name.rpartition("-")[0]]
        return cast("type[Service]", found)


class ServiceSystem(ActorSystem):
    """A tree of services, each with a store of its own, that send each other durable messages."""

    def __init__(  # noqa: PLR0913 - all that two processes may differ by
        self,
        services: Mapping[str, AnyService],
        *,
        config: Config,
        data_dir: Path,
        context: KernelContext,
        store: StoreType,
        runner: RunnerType = ThreadRunner,
        transport: TransportType | None = None,
        lock: DirectoryLock | None = None,
        groups: Sequence[Group] = (),
        aside: Aside = THREADS,
        export: SpanExport | None = None,
    ) -> None:
        """`services` makes a fresh instance of each by name; `store` is what they remember in.

        `runner` is where those run that remember nothing, `transport` how remote ones are reached,
        `aside` where backups are made, `export` where spans leave to; `lock` is what this process
        holds on `data_dir`, where others might come. Services in none of the `groups` restart by
        themselves. Raises ConfigError as `made_of` and `check_groups`.
        """
        made = {name: made_of(name, service) for name, service in services.items()}
        classes = ServiceClasses()
        for name, each in made.items():
            classes.add(name, services[name], each)
        directory = Directory(classes, config.store, classes.sharded)
        self._classes = classes
        folder = DataFolder(
            data_dir,
            classes.with_store(),
            config.store,
            clock=context.clock,
            rng=context.rng.fork("data folder"),
            sharded=classes.sharded.values(),
        )
        self._gate = BackgroundGate(
            config.background,
            depth_max=config.store.outbox_messages_max,
            stalled_s=config.mailbox.stalled_s,
            loop=context.loop,
            ambient=context.ambient,
        )
        self.tracing = Tracing(
            config.trace, clock=context.clock, rng=context.rng.aside("tracing"), export=export
        )
        self.faults = FaultLab(config.faults, context)
        self._hosted: dict[str, HostedService] = {}
        self._remotes: dict[str, RemoteService] = {}
        children: dict[str, Sequence[ChildSpec]] = {}
        stateless: dict[str, Callable[[str], ChildSpec]] = {}
        for name, service in services.items():
            first = made[name]
            if isinstance(service, Remote):
                assert transport is not None, "who has remote services reaches them somehow"
                remote = self._remotes[name] = RemoteService(
                    name,
                    service,
                    config=config,
                    directory=directory,
                    transport=transport,
                    clock=context.clock,
                    rng=context.rng.fork(name),
                    tracing=self.tracing,
                )
                self.faults.seam(name)  # its door alone is here
                children[name] = [remote_child(remote)]
                continue
            if isinstance(first, StatelessService):
                stateless[name] = child = _make_stateless(
                    name,
                    cast("Callable[[], StatelessService] | Replicas", service),
                    config=config,
                    context=context,
                    runner=runner,
                    tracing=self.tracing,
                    seam=self.faults.seam(name, "handlers"),
                )
                children[name] = [child(each) for each in actor_names({name: service})]
                continue
            factories = {name: service}
            if isinstance(service, Sharded):
                factories = {each: service.maker_of(each) for each in service.names(name)}
            for place, factory in factories.items():
                self._hosted[place] = _make_hosted(
                    place,
                    cast("Callable[[], Service]", factory),
                    cast("Service", first),
                    directory=directory,
                    gate=self._gate,
                    config=config,
                    folder=folder,
                    lock=lock,
                    context=context,
                    store=store,
                    tracing=self.tracing,
                    seam=self.faults.seam(name, "handlers", "commits", "effects"),
                )
            children[name] = [service_child(self._hosted[each], name) for each in factories]
        self._operators = {name: OperatorCalls(hosted) for name, hosted in self._hosted.items()}
        self._edge_config = config.edge
        self._backups = Backups(
            self._hosted,
            folder,
            is_parked=lambda name: self.registry.actor(name).state == "parked",
            data_dir=data_dir,
            config=config,
            clock=context.clock,
            aside=aside,
        )
        super().__init__(
            SupervisorSpec(name=ROOT, children=grouped(children, groups)),
            context=context,
            mailbox=config.mailbox,
            supervisor=config.supervisor,
            letter_sources=[each.dead_letters for each in self._operators.values()],
        )
        for name, child in stateless.items():
            self.allow_scaling(name, child, replicas_max=config.service.replicas_max)
            if isinstance(service := services[name], Replicas):
                self.router.balance(name, service.balance, context.rng)
        self._sharded: dict[str, ShardedAsks] = {}
        for name, sharding in classes.sharded.items():
            self.registry.mark_sharded(name)
            merging = merging_of(cast("Sharded", services[name]), classes[name])
            self._sharded[name] = ShardedAsks(sharding, merging, self.router, context.loop)
        self.faults.connect(self.registry)
        directory.connect(self.router)
        self._directory = directory

    def ask(
        self, service: str, message: Message, *, timeout_s: float, key: str | None = None
    ) -> Awaitable[Any]:
        """Ask for a client, who comes before what nobody waits for; else as ActorSystem.ask."""
        reply: Any
        if service in self._sharded:
            reply = self._sharded[service].ask(message, timeout_s=timeout_s, key=key)
        else:
            reply = super().ask(service, message, timeout_s=timeout_s, key=key)
        self._gate.entered()
        reply.when_ended(self._gate.left)
        return cast("Awaitable[Any]", reply)

    def ask_for_effect(self, service: str, message: Message, *, timeout_s: float) -> Awaitable[Any]:
        """Ask for an effect or a `run`, for which as a rule no client waits; else likewise."""
        if service in self._sharded:
            return self._sharded[service].ask(message, timeout_s=timeout_s)
        return super().ask(service, message, timeout_s=timeout_s)

    def shards(self, service: str) -> list[str]:
        """Return the names of the service's shards; none of one that is not sharded."""
        sharding = self._classes.sharded.get(service)
        return [] if sharding is None else sharding.names()

    def shard_of(self, service: str, message: Message, key: str | None = None) -> str | None:
        """Return the shard that a message with this request key goes to; None of any, or all."""
        return self._sharded[service].place_of(message, key)

    def left_behind(self, service: str) -> int:
        """Return how many requests the service has put off for which no client waits any more."""
        names = self.shards(service) or [service]
        found = [self._hosted[each] for each in names if each in self._hosted]
        return sum(each.deferred.left_behind for each in found)

    def handles(self, service: str, message_type: type[Message]) -> bool:
        """Whether the service can be asked such a message. Raises NoSuchActor."""
        return self._classes.handles(service, message_type)

    def reply_type(self, service: str, message_type: type[Message]) -> Any:
        """Return what the handler, which there is, is typed to reply, Refusal and Later aside."""
        return self._classes.reply_type(service, message_type)

    def leave(self) -> None:
        """Note that the process ends: what it is cut off from now is not to be warned of."""
        self._directory.leaving = True
        self.standings.close()

    async def stop(self) -> None:
        """Stop the tree in reverse order; whoever waits for a commit is told of the end."""
        self.faults.close()
        try:
            await super().stop()
        finally:
            for hosted in self._hosted.values():
                hosted.commits.close()

    def committed(self, service: str) -> Awaitable[None]:
        """Return what ends at the service's next commit from now on; free where not awaited.

        To wait for something to appear, take it before the query that looks for it: a commit in
        between ends it. It may end for nothing. Raises NoSuchActor where there is no such service
        with a store; awaited, ActorStopped where the system stops first.
        """
        hosted = self._hosted.get(service)
        if hosted is None:
            # A shard commits by its own name, such as order-1.
            message = f"no service called {service!r} commits; there are {', '.join(self._hosted)}"
            raise NoSuchActor(message)
        return hosted.commits.next()

    async def channels(self) -> list[ChannelStats]:
        """Return every channel that has been used, by sender; those of services that are up."""
        return [stats for each in self._operators.values() for stats in await each.channels()]

    async def timers(self) -> Sequence[TimerStats]:
        """Return how the timers and effects of every service stand that is up."""
        found = [await each.timers() for each in self._operators.values()]
        return [stats for stats in found if stats is not None]

    async def measured(self, *, look_s_max: float) -> Measured:
        """Return all that was counted; each store has `look_s_max` seconds to say what it knows."""
        services = await asyncio.gather(
            *(each.measured(look_s_max) for each in self._operators.values())
        )
        gate = self._gate.stats()
        return Measured(
            actors=self.measured_actors(),
            services=services,
            remotes=[each.measured() for each in self._remotes.values()],
            asks=gate.requests,
            background_share=gate.share,
            spans=None if self.tracing.export is None else self.tracing.export.counts,
        )

    async def trace(self, trace_id: str, *, spans_max: int) -> TraceTree | None:
        """Return what is known of the trace, its first `spans_max` spans; None of none."""
        found = await asyncio.gather(
            *(each.spans_of(trace_id) for each in self._operators.values())
        )
        spans = self.tracing.spans_of(trace_id)
        for kept in found:
            spans += kept or ()
        return tree_of(
            trace_id,
            spans,
            unread=self._unread(found),
            spans_max=spans_max,
            sampled=self.tracing.is_sampled(trace_id),
        )

    async def slowest_requests(self, limit: int) -> TracedRequests:
        """Return the traced requests whose clients waited longest, without an answer first."""
        found = await asyncio.gather(
            *(each.traced_requests(limit) for each in self._operators.values())
        )
        spans = self.tracing.requests()
        for kept in found:
            spans += kept or ()
        return TracedRequests(items=slowest_of(spans, limit), unread=self._unread(found))

    def background(self) -> BackgroundStats:
        """Return whether what nobody waits for gives way now, and what waits for how long."""
        return self._gate.stats()

    def breakers(self) -> list[BreakerStats]:
        """Return how each breaker stands: one a remote service, one a service and effect."""
        return [each.stats() for each in self._breakers()]

    def breaker(self, name: str) -> BreakerStats:
        """Return how it stands. Raises NoSuchBreaker."""
        return self._breaker(name).stats()

    def force_breaker(self, name: str, forced: Forced | None) -> BreakerStats:
        """Have it open or closed until None lifts that. Raises NoSuchBreaker."""
        breaker = self._breaker(name)
        breaker.force(forced)
        return breaker.stats()

    async def let_messages_go(self, sender: str, receiver: str, message_type: str) -> None:
        """Have messages of this type that `receiver` cannot read become its dead letters.

        As many as it has room for: the rest waits. Raises NoSuchActor, NothingWaits, LettersFull,
        StoreError, ServiceUnavailable.
        """
        operator = self._operator(sender)
        if receiver in self._operators:
            await self._operators[receiver].check_room("nothing was let go")
        operator.let_go(receiver, message_type)

    async def let_timers_go(self, service: str, message_type: str) -> int:
        """Make dead letters of the service's timers of this type that it cannot read; how many.

        Raises NoSuchActor, NothingWaits, LettersFull, and what an ask raises.
        """
        operator = self._operator(service)
        return await operator.let_timers_go(message_type, timeout_s=self._edge_config.deadline_s)

    async def backup(self, target: Path) -> BackedUp:
        """Write all files of one moment into a new folder. Raises BackupRefused, StoreError."""
        return await self._backups.take(target)

    async def replay(self, letter_id: str) -> Replayed:
        """Run a dead letter's message again. Raises NoSuchLetter, LetterNotReplayable, and more.

        Where the message crashes its handler again, DeadLettered; and what an ask raises.
        """
        if self.context.dead_letters.holds(letter_id):
            message = f"{letter_id} is kept in memory as text only; it can be discarded"
            raise LetterNotReplayable(message)
        holder = await self._holder(letter_id)
        return await holder.replay(letter_id, timeout_s=self._edge_config.deadline_s)

    async def discard(self, letter_id: str) -> None:
        """Forget a dead letter. Raises NoSuchLetter, and what an ask raises."""
        if not self.context.dead_letters.discard(letter_id):
            holder = await self._holder(letter_id)
            await holder.discard(letter_id, timeout_s=self._edge_config.deadline_s)

    def reconfigured(self) -> None:
        """Hear that the configuration has other values: who has copies takes new ones."""
        for hosted in self._hosted.values():
            hosted.breakers.reconfigured()
        for remote in self._remotes.values():
            remote.reconfigured()

    def _unread(self, found: Sequence[Sequence[TraceSpan] | None]) -> list[str]:
        return [name for name, kept in zip(self._operators, found, strict=True) if kept is None]

    def _breakers(self) -> Iterator[Breaker]:
        for hosted in self._hosted.values():
            yield from hosted.breakers.by_effect.values()
        yield from (remote.breaker for remote in self._remotes.values())

    def _breaker(self, name: str) -> Breaker:
        for each in self._breakers():
            if each.name == name:
                return each
        message = f"there is no breaker {name}; look at /admin/breakers"
        raise NoSuchBreaker(message)

    def _operator(self, service: str) -> OperatorCalls:
        operator = self._operators.get(service)
        if operator is None:
            message = (
                f"no service called {service!r} has a store; there are {', '.join(self._operators)}"
            )
            raise NoSuchActor(message)
        return operator

    async def _holder(self, letter_id: str) -> OperatorCalls:
        unknown: Exception | None = None
        for operator in self._operators.values():
            try:
                if await operator.holds_letter(letter_id):
                    return operator
            except (StoreError, ServiceUnavailable) as error:  # it may be another's all the same
                unknown = error
        if unknown is not None:
            raise unknown
        message = f"there is no dead letter {letter_id}; look at /admin/dead-letters"
        raise NoSuchLetter(message)


def _make_hosted(  # noqa: PLR0913 - what a service's parts are made of
    name: str,
    service: Callable[[], Service],
    made: Service,
    *,
    directory: Directory,
    gate: BackgroundGate,
    config: Config,
    folder: DataFolder,
    lock: DirectoryLock | None,
    context: KernelContext,
    store: StoreType,
    tracing: Tracing,
    seam: ServiceSeam,
) -> HostedService:
    bound_effects(name, made, config)  # what its effects' options say is said before the start
    spec = StoreSpec(
        name=name,
        path=folder.file_of(name),
        migrations=made.schema,
        owner=type(made).__name__,
        attempts_max=config.service.attempts_max,
        handler_s_max=config.service.handler_s_max,
        dead_letters_max=config.service.dead_letters_max,
        catalog=directory.catalog,
        folder=folder,
        lock=lock,
        spans=tracing.book_of(name),
    )
    rng = context.rng.fork(name)

    def make_store(hearer: Any = None) -> Any:
        its = spec if hearer is None else msgspec.structs.replace(spec, hearer=hearer)
        return store(its, config.store, clock=context.clock, rng=rng.fork("store"))

    return HostedService(
        name=name,
        make_service=service,
        make_store=make_store,
        cache_counts={
            spec.message.__name__: CacheCounts()
            for spec in made.handlers.values()
            if spec.cache is not None
        },
        directory=directory,
        gate=gate,
        config=config,
        path=spec.path,
        clock=context.clock,
        rng=rng,
        deadlines=context.deadlines,
        commit_s=spec.commit_s,
        tracing=tracing,
        seam=seam,
    )


def _make_stateless(
    name: str,
    service: Callable[[], StatelessService] | Replicas,
    *,
    config: Config,
    context: KernelContext,
    runner: RunnerType,
    tracing: Tracing,
    seam: ServiceSeam,
) -> Callable[[str], ChildSpec]:
    def make_runner(replica: str) -> Runner:
        spec = RunnerSpec(
            name=replica,
            attempts_max=config.service.attempts_max,
            handler_s_max=config.service.handler_s_max,
        )
        return runner(spec, clock=context.clock, rng=context.rng.fork(replica))

    return stateless_child(
        name,
        service.factory if isinstance(service, Replicas) else service,
        make_runner,
        config=config.service,
        tracing=tracing,
        seam=seam,
    )


def made_of(name: str, service: AnyService) -> Service | StatelessService | RemoteStub:
    """Make what stands under that name, to look at it: it never runs. Raises ConfigError."""
    if isinstance(service, Remote):
        return _stub_of(name, service)
    make: Any = service.factory if isinstance(service, Instances) else service
    if not callable(make):
        error = (
            f"service {name!r} is a {type(make).__name__} that is made already: give what makes "
            f"it, such as its class, for each of its lives has one of its own"
        )
        raise ConfigError(error)
    made = make()
    kind = type(made).__name__
    if isinstance(made, Service) and isinstance(service, Replicas):
        error = (
            f"service {name!r}: {kind} has a store, which has one writer and so one replica; make "
            f"it a StatelessService, or give its factory without Replicas"
        )
        raise ConfigError(error)
    if not isinstance(made, Service | StatelessService):
        error = (
            f"service {name!r}: {kind} is neither a Service nor a StatelessService: give the class "
            f"of one, or a function that returns one"
        )
        raise ConfigError(error)
    if isinstance(service, Sharded) and not isinstance(made, Service):
        error = f"service {name!r}: {kind} keeps nothing to be sharded: give Replicas(...) of it"
        raise ConfigError(error)
    if isinstance(service, Replicas) and (fault := _fault_of_key(service.balance, made)):
        error = f"service {name!r}: {fault}"
        raise ConfigError(error)
    if isinstance(made, Service) and not isinstance(getattr(made, "schema", None), str | Path):
        error = (
            f"service {name!r}: {kind} has no `schema`: write its tables' SQL there, or the Path "
            f'of a .sql file or of a folder of them; "" if it has no table'
        )
        raise ConfigError(error)
    return made


def _stub_of(name: str, remote: Remote) -> RemoteStub:
    """Return what a remote service takes, which its stand-in takes, too. Raises ConfigError."""
    stub = stub_of(name, remote)
    if remote.stand_in is not None:
        played = type(made_of(name, remote.stand_in))
        for message, spec in stub.handlers.items():
            there = played.handlers.get(message)
            if there is None or there.kind != spec.kind:
                error = (
                    f"service {name!r}: its stand-in {played.__name__} has no @{spec.kind} for "
                    f"{message.__name__}, which the remote one takes: write it"
                )
                raise ConfigError(error)
    return stub


def _fault_of_key(balance: str, made: Service | StatelessService) -> str | None:
    """Return what is wrong with balancing this service by a key, if something is."""
    field = balance.removeprefix(KEY)
    for message in type(made).handlers if field != balance else ():
        if field not in getattr(message, "__struct_fields__", ()):
            return f"its balance is {balance}, and {type_name(message)} has no field {field!r}"
    return None
