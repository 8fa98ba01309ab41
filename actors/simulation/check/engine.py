"""What must hold of the engine whatever is built on it: its oracles, and what they have found.

Each stands for guarantees of docs/GUARANTEES.md, which names them. They share no code with what
they judge: they hear handlers, commits and lifecycle events, and read the files with SQL of their
own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.kernel import lifecycle
from actors.simulation.check.calm_oracle import CalmOracle
from actors.simulation.check.channel_oracle import ChannelOracle
from actors.simulation.check.commit_watch import CommitWatch
from actors.simulation.check.files_at_rest import check_files
from actors.simulation.check.http_contract import HttpContract
from actors.simulation.check.once_oracle import OnceOracle, PoisonOracle, early_replies
from actors.simulation.check.supervision_oracle import RestartBudget, SupervisionOracle
from actors.simulation.check.timer_oracle import TimerOracle

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from actors.config import Config, EdgeConfig
    from actors.kernel.envelope import Envelope
    from actors.kernel.stats import ActorStats
    from actors.simulation.check.handled import Handled
    from actors.simulation.check.http_contract import HttpAnswer
    from actors.simulation.check.past import Past
    from actors.simulation.time.virtual_clock import VirtualClock

# By the name under which docs/GUARANTEES.md has it, and a trouble begins.
ORACLES: Final[Mapping[str, str]] = {
    "replies": "no reply leaves before its commit has returned",
    "once": "a request that has taken effect does not run again",
    "channels": "what a handler sends is applied once, whole and in order; nothing else is",
    "timers": "a timer fires once, never early, in calm not late, and none is left that was due",
    "poison": "what crashes its handler runs attempts_max times, and is a dead letter then",
    "supervision": "who is parked has crashed too often by itself; no kill parks anybody",
    "accounts": "accepted = handled + refused + dead-lettered + queued, of every actor",
    "http": "every answer has the status, the headers and the form that its request is to get",
    "deadlines": "where the network is whole, every answer comes by its deadline",
    "bounds": "what is left at rest is what configuration allows, and what was seen to be written",
    "calm": "where nothing is done to it nothing crashes, restarts, parks or is refused for room",
    "liveness": "when faults have ended, all runs and nothing waits, within a bound, by itself",
    "digest": "a seed is played again with the same digest",
    "audit": "the system's own audit of its files, and its scenario, find nothing",
}

# What an answer may take beyond its deadline: the way there and back.
WAY_S: Final = 0.5


class Engine:
    """Hears what one run does to its stores and actors; `troubles` is what was wrong."""

    def __init__(
        self,
        config: Config,
        clock: VirtualClock,
        past: Past,
        *,
        subscribers: Mapping[str, Sequence[str]],
        groups: Mapping[str, str],
    ) -> None:
        """`past` is what the files hold; `subscribers` by event type, `groups` by actor."""
        self.troubles: list[str] = []
        # Whether nothing has been done to it: no fault, and no operator's hand.
        self.calm = True
        # Whether every link is whole: what is long on its way is not the system's doing.
        self.links_whole = True
        self.commits = CommitWatch(self._wrote, clock)
        self._config = config
        self._clock = clock
        self._timers = TimerOracle(past)
        self._channels = ChannelOracle(past, subscribers)
        self._once = OnceOracle(config.store.client_keys_kept_s)
        self._poison = PoisonOracle(config.service.attempts_max)
        supervisor = config.supervisor
        budget = RestartBudget(supervisor.intensity, supervisor.period_s)
        self._supervision = SupervisionOracle(budget, groups)
        self._calm = CalmOracle()
        self._contract = HttpContract(config.edge)

    @property
    def edge(self) -> EdgeConfig:
        """What clients may know of how it is configured."""
        return self._config.edge

    def booted(self) -> None:
        """Hear that another process begins."""
        self._supervision.begin()
        self._poison.ends += 1

    def happened(self, event: lifecycle.LifecycleEvent) -> None:
        """Hear of an actor, of a process that is up."""
        self._add("supervision", self._supervision.hear(event, self._clock.monotonic()))
        self._calm.hear(event)
        if isinstance(event, lifecycle.Crashed) and event.message_type is None:
            self._poison.ends += 1

    def asked(self, what: str, status: int, took_s: float) -> None:
        """Hear how long a client waited for an answer; a status of 0 is none."""
        self._calm.asked(what, status)
        deadline_s = self._config.edge.deadline_s
        if self.links_whole and took_s > deadline_s + WAY_S:
            self._add("deadlines", [f"{what} took {took_s:.3f} s, of {deadline_s:g} s"])

    def answered(self, who: str, exchange: HttpAnswer) -> None:
        """Hear a whole answer."""
        found = self._contract.violations(exchange)
        self._add("http", [f"{who}: {each}" for each in found])

    def told(self, trouble: str) -> None:
        """Hear from a client what is wrong with an answer."""
        self._add("http", [trouble])

    def counted(self, actors: Iterable[ActorStats]) -> None:
        """Hear how actors count their messages."""
        for each in actors:
            ended = each.handled + each.refused + each.dead_lettered + each.mailbox_depth
            if ended != each.accepted:
                self._add("accounts", [f"{each.name} has accepted {each.accepted}, not {ended}"])

    def unwell(self, found: Iterable[str]) -> None:
        """Hear what is not well again though the faults have ended."""
        self._add("liveness", found)

    def rested(self, actors: Sequence[ActorStats]) -> None:
        """Hear that nothing is under way any more; the process still runs."""
        self.counted(actors)
        self._add("channels", self._channels.left())
        self._add("timers", self._timers.left(self._clock.now_us()))
        if self.calm:
            counts = [(each.name, each.rejected) for each in actors]
            self._add("calm", [*self._calm.found, *self._calm.rejected(counts)])

    def stopped(self, folder: Path) -> None:
        """Look at the files, which nobody writes any more."""
        sent, applied = self._channels.marks
        pending = self._timers.pending
        found = check_files(folder, self._config, sent=sent, applied=applied, pending=pending)
        self._add("bounds", found)

    # --- Inside ------------------------------------------------------------------------------

    def _wrote(
        self,
        store: str,
        batch: Sequence[Handled],
        crash: BaseException | None,
        culprit: Envelope | None,
    ) -> None:
        forward_us = self._clock.set_forward_us
        self._add("replies", early_replies(store, batch))
        self._add("once", self._once.hear(store, batch, forward_us=forward_us))
        self._add("channels", self._channels.hear(store, batch))
        self._add("timers", self._timers.hear(store, batch, calm=self.calm))
        self._add("poison", self._poison.hear(store, batch, crash, culprit))
        self._calm.batch(store, batch)

    def _add(self, oracle: str, found: Iterable[str]) -> None:
        self.troubles += [f"{oracle}: {each}" for each in found]
