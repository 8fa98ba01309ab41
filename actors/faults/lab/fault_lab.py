"""The faults that are on in a running system: one table, and one lever that ends them all."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog

from actors.errors import FaultRefused, FaultsBlocked, NoSuchFault
from actors.faults.lab.active_fault import ActiveFault
from actors.faults.lab.arriving import Arrivals
from actors.faults.lab.seams import BatchFaults, EffectFaults, ServiceSeam
from actors.kernel.lifecycle import Started

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Iterable, Sequence

    from actors.config import FaultsConfig
    from actors.faults.lab.active_fault import FaultStats
    from actors.faults.lab.fault_order import FaultOrder, Of
    from actors.kernel.context import KernelContext
    from actors.kernel.lifecycle import LifecycleEvent
    from actors.kernel.registry import Registry

log = structlog.get_logger()

_AT_THE_DOOR: Final[frozenset[Of]] = frozenset({"arrivals", "requests", "queries", "messages"})


class FaultLab:
    """Puts faults where they strike, ends them when their time is up, and says both in the log.

    Where none is on, a seam is one look at an attribute that is None. `close` ends all that are.
    """

    _registry: Registry

    def __init__(self, config: FaultsConfig, context: KernelContext) -> None:
        """No fault is on. What can be struck has a seam; `connect` comes before any is ordered."""
        self._config = config
        self._context = context
        self._seams: dict[str, ServiceSeam] = {}
        self._parts: dict[str, frozenset[Of]] = {}
        self._active: dict[str, ActiveFault] = {}
        # By fault, and what each is for.
        self._timers: dict[str, dict[str, asyncio.TimerHandle]] = {}
        self._count = 0
        self._rng = context.rng.aside("faults")
        # What is done to requests before a service hears of them; the edge looks here.
        self.routes: Sequence[ActiveFault] | None = None
        # While somebody holds the lever: none are on, and none begin.
        self.is_stopped = False
        context.lifecycle.subscribe(self._hear)

    def seam(self, service: str, *parts: Of) -> ServiceSeam:
        """Return what a service looks at; it has these `parts` besides its door."""
        self._parts[service] = _AT_THE_DOOR | frozenset(parts)
        return self._seams.setdefault(service, ServiceSeam())

    def connect(self, registry: Registry) -> None:
        """Find the services' actors there."""
        self._registry = registry

    def begin(self, order: FaultOrder, *, routes: Collection[str] = ()) -> FaultStats:
        """Have it strike from now on. `routes` are those that can be struck, "GET /path" each.

        Raises FaultRefused where it names what is not there, and FaultsBlocked where it reaches too
        far or the lever is held; then nothing is touched.
        """
        self._check(order, routes)
        self._check_reach(order)
        self._count += 1
        seed = self._rng.getrandbits(32) if order.seed is None else order.seed
        fault = ActiveFault(
            f"f{self._count}",
            order,
            seed=seed,
            begun_us=self._context.clock.now_us(),
            latency_s_max=self._config.latency_s_max,
            spent=self._is_spent,
        )
        self._active[fault.id] = fault
        stats = fault.stats()
        log.info(
            "fault begins", fault=fault.id, what=stats.what, seed=seed, by=order.by,
            for_s=order.for_s, until_us=stats.until_us,
        )  # fmt: skip
        if order.for_s is not None:
            self._call_later(fault, order.for_s, partial(self._end, fault, "its time is up"), "end")
        self._lease(fault)
        self._install(fault)
        if order.kind == "suspend":
            self._signal_all(fault, "suspend")
        elif fault.part == "service":
            self._kill_now(fault)
        return fault.stats()

    def stats(self) -> list[FaultStats]:
        """Return how each active fault stands, in the order in which they began."""
        return [each.stats() for each in self._active.values()]

    def renew(self, fault_id: str) -> FaultStats:
        """Let its lease begin anew, if it has one; returns how it stands. Raises NoSuchFault."""
        fault = self._find(fault_id)
        self._lease(fault)
        return fault.stats()

    def mend(self, fault_id: str) -> FaultStats:
        """End it; returns how it stood. Raises NoSuchFault."""
        fault = self._find(fault_id)
        self._end(fault, "mended")
        return fault.stats()

    def mend_all(self, why: str = "mended") -> list[FaultStats]:
        """End all; returns how they stood."""
        faults = list(self._active.values())
        for fault in faults:
            self._end(fault, why)
        return [each.stats() for each in faults]

    def stop(self) -> list[FaultStats]:
        """End all, and let none begin until `release`; returns how they stood."""
        self.is_stopped = True
        ended = self.mend_all("stopped by the lever")
        log.warning("faults stopped", ended=len(ended), advice="POST /admin/faults/release")
        return ended

    def release(self) -> None:
        """Let faults begin again."""
        if self.is_stopped:
            log.info("faults released")
        self.is_stopped = False

    def close(self) -> None:
        """The system stops: nobody is kept waiting, no timer is left, and no fault begins."""
        self.is_stopped = True
        self.mend_all("the system stops")

    def _find(self, fault_id: str) -> ActiveFault:
        fault = self._active.get(fault_id)
        if fault is None:
            there = ", ".join(self._active) or "none"
            message = f"no fault {fault_id!r} is active; there are: {there}; see GET /admin/faults"
            raise NoSuchFault(message)
        return fault

    # --- What is refused ---------------------------------------------------------------------

    def _check(self, order: FaultOrder, routes: Collection[str]) -> None:
        if order.route is not None:
            paths = {each.partition(" ")[2] for each in routes}
            if order.route not in routes and order.route not in paths:
                there = ", ".join(sorted(routes))
                raise FaultRefused(f"no route {order.route!r}; there are {there}", field="route")
            return
        for field in ("service", "sender"):
            if (name := getattr(order, field)) is not None and name not in self._parts:
                raise FaultRefused(self._nobody(name), field=field)
        service = order.service
        assert service is not None, "what has no route has a service"
        if order.sender == service and not self._registry.is_sharded(service):
            message = "a service's own timers are no messages between services"
            raise FaultRefused(message, field="sender")
        if order.part != "service" and order.part not in self._parts[service]:
            has = ", ".join(sorted(self._parts[service]))
            raise FaultRefused(f"{service} has no {order.part}, but: {has}", field="of")
        replicas = [each.name for each in self._registry.replicas(service)]
        if order.replica is not None and order.replica not in replicas:
            there = ", ".join(replicas)
            message = f"{service} has no replica {order.replica!r}; there are {there}"
            raise FaultRefused(message, field="replica")

    def _nobody(self, name: str) -> str:
        there = ", ".join(self._parts)
        if any(each.name == name for each in self._registry.actors()):
            return f"{name} is no service, and no fault is done to a supervisor; there are {there}"
        return f"no service is called {name!r}; there are {there}"

    def _check_reach(self, order: FaultOrder) -> None:
        config = self._config
        if self.is_stopped:
            message = "faults are stopped; POST /admin/faults/release lets them begin again"
            raise FaultsBlocked(message)
        for field in ("service", "sender"):
            if getattr(order, field) in config.untouched:
                message = f"{getattr(order, field)} is untouched, by faults.untouched"
                raise FaultsBlocked(message, field=field)
        if order.route is None and order.part == "service":
            pass  # it strikes no share of anything
        elif order.percent > config.percent_max:
            message = f"percent is at most faults.percent_max, {config.percent_max:g}"
            raise FaultsBlocked(message, field="percent")
        if len(self._active) >= config.active_max:
            message = (
                f"{len(self._active)} faults are active, faults.active_max of them; mend one, by "
                f"DELETE /admin/faults/ID"
            )
            raise FaultsBlocked(message)

    # --- Where they strike -------------------------------------------------------------------

    def _install(self, fault: ActiveFault) -> None:
        """Put where it is looked at what is on now, or None where nothing is."""
        order = fault.order
        if fault.part is None:
            self.routes = [each for each in self._active.values() if each.part is None] or None
            return
        services = [order.service, *([order.sender] if order.both_ways else [])]
        for service in services:
            assert service is not None, "what has no route has a service"
            self._install_at(service, fault)

    def _install_at(self, service: str, fault: ActiveFault) -> None:
        if fault.part in _AT_THE_DOOR:
            for actor in self._registry.replicas(service):
                self._install_door(service, actor)
            return
        there = [each for each in self._active.values() if each.order.service == service]
        batches = [each for each in there if each.part in {"commits", "handlers"}]
        effects = [each for each in there if each.part == "effects"]
        seam = self._seams[service]
        seam.batches = BatchFaults(batches, self._kill) if batches else None
        seam.effects = EffectFaults(effects) if effects else None

    def _install_door(self, service: str, actor: Any) -> None:
        mailbox = actor.actor_inbox
        faults = [
            each
            for each in self._active.values()
            if each.part in _AT_THE_DOOR
            and service in {each.order.service, each.order.both_ways and each.order.sender}
            and each.order.replica in {None, actor.name}
        ]
        if mailbox.arrivals is None:
            if not faults:
                return
            mailbox.arrivals = Arrivals(service, mailbox, self._context)
        arrivals = mailbox.arrivals
        for gone in [each for each in arrivals.faults if each not in faults]:
            arrivals.forget(gone)
        arrivals.faults = faults
        if not faults:
            mailbox.arrivals = None

    def _hear(self, event: LifecycleEvent) -> None:
        """A replica that comes later is struck as the others are."""
        if self._active and event.__class__ is Started:
            service = self._registry.service_of(event.name)
            if service is not None:
                self._install_door(service, self._registry.actor(event.name))

    # --- What they do by themselves ----------------------------------------------------------

    def _kill_now(self, fault: ActiveFault) -> None:
        """Kill, and again each `period_s`, or be over with that."""
        if fault.is_over:
            return
        fault.seen += 1
        fault.hits += 1
        self._kill(fault)
        period_s = fault.order.period_s
        if period_s is None:
            self._end(fault, "done")
        else:
            self._call_later(fault, period_s, partial(self._kill_now, fault), "period")

    def _kill(self, fault: ActiveFault, who: str | None = None) -> None:
        for inbox in self._inboxes(fault, who or fault.order.replica):
            inbox.signal("kill", f"killed by fault {fault.id}")

    def _signal_all(self, fault: ActiveFault, signal: str) -> None:
        fault.hits += 1
        for inbox in self._inboxes(fault, fault.order.replica):
            inbox.signal(signal)

    def _inboxes(self, fault: ActiveFault, who: str | None) -> Iterable[Any]:
        order = fault.order
        assert order.service is not None, "what has no route has a service"
        for actor in self._registry.replicas(order.service):
            if who in {None, actor.name}:
                yield actor.actor_inbox

    def _lease(self, fault: ActiveFault) -> None:
        lease_s = fault.order.lease_s
        if lease_s is not None:
            self._call_later(
                fault, lease_s, partial(self._end, fault, "its client is gone"), "lease"
            )

    # --- Their end ---------------------------------------------------------------------------

    def _is_spent(self, fault: ActiveFault) -> None:
        # Not now: whoever it strikes looks at it, and may begin to wait.
        context = self._context
        context.loop.call_soon(self._end_if_spent, fault, context=context.ambient)

    def _end_if_spent(self, fault: ActiveFault) -> None:
        if not fault.waiting:
            self._end(fault, "spent")

    def _end(self, fault: ActiveFault, why: str) -> None:
        if self._active.pop(fault.id, None) is None:
            return
        for timer in self._timers.pop(fault.id, {}).values():
            timer.cancel()
        fault.end()
        self._install(fault)
        if fault.order.kind == "suspend":
            for inbox in self._inboxes(fault, fault.order.replica):
                inbox.signal("resume")
        log.info("fault ended", fault=fault.id, why=why, hits=fault.hits, seen=fault.seen)

    def _call_later(
        self, fault: ActiveFault, delay_s: float, then: Callable[[], None], what: str
    ) -> None:
        """Do it then, unless the fault has ended, or the same is put off again."""
        context, timers = self._context, self._timers.setdefault(fault.id, {})
        if what in timers:
            timers[what].cancel()
        timers[what] = context.loop.call_later(delay_s, then, context=context.ambient)
