"""Picks the replica for a message. Every send to a service passes through here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.kernel.discovery.balance import Candidate, LeastLoaded, balance_of
from actors.kernel.discovery.replica_health import (
    RANKS,
    SLOW_SHARE,
    STALLED_RANK,
    health_of,
    stuck_s,
    weight_of,
)
from actors.kernel.state_machine import RUNNING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.kernel.actor import AsyncioActor
    from actors.kernel.clock import Clock
    from actors.kernel.discovery.balance import Balance
    from actors.kernel.ref import ActorRef
    from actors.kernel.registry import Registry
    from actors.kernel.rng import Rng


class Router:
    """Picks among the replicas in the rotation, by the service's policy: the least loaded, if none.

    A replica that has had the same work in hand for half of `stalled_s` seconds is slow and gets
    less; after `stalled_s` it is out, and gets nothing more while another runs. That is so of half
    of them at most, the slowest: were it so of all that are slow, the others would be next.
    """

    def __init__(self, registry: Registry, *, clock: Clock, stalled_s: float) -> None:
        """Route to what `registry` knows."""
        self._registry = registry
        self._clock = clock
        self._stalled_s = stalled_s
        self._balances: dict[str, Balance] = {}
        # By service: its replicas, and as candidates where all of them are well.
        self._well: dict[str, tuple[list[AsyncioActor], list[Candidate]]] = {}
        # Told of a service of several replicas, each time that one is given something.
        self.on_pick: Callable[[str], None] = lambda _: None

    def balance(self, service: str, policy: str, rng: Rng) -> None:
        """Pick so for this service from now on. Raises ValueError where there is no such policy."""
        self._balances[service] = balance_of(policy, rng)

    def pick(self, service: str, message: Any = None) -> ActorRef:
        """Return the replica for the next message. Raises NoSuchActor.

        Where none accepts messages, the one whose turn it is says why itself.
        """
        replicas = self._registry.replicas(service)
        if len(replicas) == 1:
            return replicas[0].ref
        now_s = self._clock.monotonic()
        balance = self._balances.get(service)
        if balance is None:
            balance = self._balances[service] = LeastLoaded()
        self.on_pick(service)
        among = self._all_well(service, replicas, now_s) or self._rotation(replicas, now_s)
        return balance.pick(among, message, now_s).actor.ref

    def at(self, name: str) -> ActorRef:
        """Return the actor of that very name: it alone has what is meant. Raises NoSuchActor."""
        return self._registry.actor(name).ref

    def is_well(self, name: str) -> bool:
        """Whether the actor of that name gets on with what it is given. Raises NoSuchActor."""
        actor = self._registry.actor(name)
        stuck = stuck_s(actor, self._clock.monotonic())
        return health_of(actor, stuck, self._stalled_s) == "up"

    def in_rotation(self, service: str) -> list[AsyncioActor]:
        """Return the replicas that get messages now; of shards all. Raises NoSuchActor."""
        replicas = self._registry.replicas(service)
        if self._registry.is_sharded(service):
            return replicas
        return [each.actor for each in self._rotation(replicas, self._clock.monotonic())]

    def _all_well(
        self, service: str, replicas: list[AsyncioActor], now_s: float
    ) -> list[Candidate] | None:
        """Return them all, where all are well: as a rule, so that it has to be quick."""
        slow_s = now_s - self._stalled_s * SLOW_SHARE
        for actor in replicas:
            mailbox = actor.actor_inbox
            if (
                actor.machine.phase is not RUNNING
                or mailbox.closed is not None
                or mailbox.busy_since_s(now_s) <= slow_s
            ):
                return None
        known, well = self._well.get(service, (None, []))
        if known != replicas:
            well = [
                Candidate(place, len(replicas), each, 1.0) for place, each in enumerate(replicas)
            ]
            self._well[service] = list(replicas), well
        return well

    def _rotation(self, replicas: Sequence[AsyncioActor], now_s: float) -> list[Candidate]:
        stalled_s = self._stalled_s
        stuck = [stuck_s(each, now_s) for each in replicas]
        ranks = []
        for place, actor in enumerate(replicas):
            # Closed is also who drains, or is parked and being started.
            closed = actor.actor_inbox.closed is not None
            ranks.append(RANKS["parked" if closed else health_of(actor, stuck[place], stalled_s)])
        running = [place for place, rank in enumerate(ranks) if rank == 0]
        worst = sorted(running, key=lambda place: -stuck[place])[: len(running) // 2]
        # Where all are slow, or stalled, nobody is the worse for it.
        least_s = min((stuck[place] for place in running), default=0.0)
        for place in worst:
            if least_s < stalled_s <= stuck[place]:
                ranks[place] = STALLED_RANK
        lighter = worst if least_s < stalled_s * SLOW_SHARE else ()
        best = min(ranks)
        count = len(replicas)
        return [
            Candidate(
                place,
                count,
                replicas[place],
                weight_of(stuck[place], stalled_s) if place in lighter else 1.0,
            )
            for place, rank in enumerate(ranks)
            if rank == best
        ]
