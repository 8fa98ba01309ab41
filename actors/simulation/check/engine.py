"""What must hold of the engine whatever is built on it: its oracles, and what they have found.

Each stands for guarantees of docs/GUARANTEES.md, which names them. They share no code with what
they judge: they hear handlers, commits and lifecycle events, and read the files with SQL of their
own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from actors.kernel import lifecycle
from actors.simulation.check.calm_oracle import CalmOracle
from actors.simulation.check.channel_oracle import ChannelOracle
from actors.simulation.check.commit_watch import CommitWatch
from actors.simulation.check.effect_oracle import EffectOracle
from actors.simulation.check.files_at_rest import check_files, letters_in
from actors.simulation.check.http_contract import HttpContract
from actors.simulation.check.key_oracle import DeferredOracle, KeyOracle
from actors.simulation.check.letter_oracle import LetterOracle
from actors.simulation.check.once_oracle import OnceOracle, PoisonOracle, early_replies
from actors.simulation.check.order_oracle import OrderOracle, expired
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
    "keys": "who asks again under its key gets the first answer; what is invalid uses up no key",
    "deferred": "an answer that was put off is told to all who wait, soon after its commit",
    "order": "what a mailbox has accepted first is run first",
    "channels": "what a handler sends is applied once, whole and in order; nothing else is",
    "timers": "a timer fires once, never early, in calm not late, and none is left that was due",
    "effects": "attempts follow each other as configured, within their time, behind their breaker",
    "letters": "what was given up is kept until it is run again, or let go",
    "fencing": "a dead incarnation commits nothing; each has an epoch of its own",
    "poison": "what crashes its handler runs attempts_max times, and is a dead letter then",
    "supervision": "who is parked has crashed too often by itself; who was resumed runs",
    "accounts": "accepted = handled + refused + dead-lettered + queued, of every actor",
    "http": "every answer has the status, the headers and the form that its request is to get",
    "deadlines": "no answer comes late where the network is whole; what is too late is not run",
    "bounds": "what is left at rest is what configuration allows, and what was seen to be written",
    "calm": "where nothing is done to it, nothing crashes, restarts, parks or finds no room",
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
        roomy: bool = True,
    ) -> None:
        """`past` is what the files hold; `subscribers` by event type, `groups` by actor.

        It is not `roomy` where limits are small on purpose: a refusal for room is none to judge.
        """
        self.troubles: list[str] = []
        # Whether every link is whole: what is long on its way is not the system's doing.
        self.links_whole = True
        self.commits = CommitWatch(self._wrote, clock)
        self.config = config
        self._clock = clock
        self.timers = TimerOracle(past)
        self._channels = ChannelOracle(
            past, subscribers, untaken_max=config.store.outbox_messages_max
        )
        self._once = OnceOracle(config.store.client_keys_kept_s)
        self._poison = PoisonOracle(config.service.attempts_max)
        supervisor = config.supervisor
        budget = RestartBudget(supervisor.intensity, supervisor.period_s)
        self._supervision = SupervisionOracle(budget, groups)
        self.calm = CalmOracle(roomy=roomy)
        self.effects = EffectOracle(config.effect, config.breaker)
        self._keys = KeyOracle(config.store.client_keys_kept_s, past.keys)
        self._told: list[str] = []
        self.deferred = DeferredOracle(clock.monotonic, self._told)
        self._letters = LetterOracle(config.service.dead_letters_max)
        self._order = OrderOracle()
        self._epochs: dict[str, int] = {}
        # What calm was disturbed by: of a run that has no end its end tells more.
        self._unrest: list[str] = []
        self._resting = False
        # By when each was in force first: an answer may be of the one before.
        self._configs: list[tuple[float, Config]] = [(0.0, config)]

    @property
    def edge(self) -> EdgeConfig:
        """What clients may know of how it is configured."""
        return self.config.edge

    def booted(self, config: Config) -> None:
        """Hear that another process begins, and how that is configured."""
        if config != self.config:
            self._configure(config)
        self._supervision.begin()
        self._order.begin()
        self.timers.begin()
        self.effects.begin()
        self._poison.ends += 1

    def happened(self, event: lifecycle.LifecycleEvent) -> None:
        """Hear of an actor, of a process that is up."""
        now_s = self._clock.monotonic()
        self._add("supervision", self._supervision.hear(event, now_s))
        if not self._resting:
            self._unrest += self.calm.hear(event, now_s)
        if isinstance(event, lifecycle.Crashed):
            self._poison.ends += event.message_type is None
            self.effects.ended(event.name)
        if isinstance(event, lifecycle.Crashed | lifecycle.Suspended):
            self.deferred.up(event.name, None)
        elif isinstance(event, lifecycle.Started | lifecycle.Restarted | lifecycle.Resumed):
            self.deferred.up(event.name, now_s)

    def disturbed(self) -> None:
        """Hear that a fault strikes."""
        self.calm.disturb(self._clock.monotonic())

    def wanted(self, action: str, actor: str) -> None:
        """Hear what an operator, or a fault, wants of an actor."""
        self.disturbed()
        if action == "suspend":
            self._supervision.suspended(actor)

    def asking(self, action: str, actor: str, count: int) -> None:
        """Hear that an operator has begun to ask for it, 1, or has an answer, -1."""
        if action == "suspend":
            self._supervision.asking(actor, count)

    def attempted(self, store: str, message: Any) -> None:
        """Hear that an effect is about to ask the outside world."""
        pending = self.timers.pending.get(store, {})
        now_s = self._clock.monotonic()
        self._add("effects", self.effects.attempted(store, message, now_s, pending))

    def finished(self, store: str, message: Any, value: Any, error: BaseException | None) -> None:
        """Hear what the outside world has said to it."""
        now_s = self._clock.monotonic()
        self._add("effects", self.effects.finished(store, message, now_s, value, error))

    def opened(self, store: str, epoch: int) -> None:
        """Hear which epoch an incarnation has taken."""
        if epoch <= self._epochs.get(store, 0):
            self._add("fencing", [f"{store} was opened with the epoch {epoch} once more"])
        self._epochs[store] = epoch
        self.timers.opened(store, self._clock.monotonic())

    def given(self, store: str, batch: Sequence[Envelope]) -> None:
        """Hear what a store is to work on."""
        self._add("deadlines", expired(store, batch, self._clock.monotonic()))

    def wrote_dead(self, store: str, types: Sequence[str]) -> None:
        """Hear that a batch was committed whose incarnation has ended."""
        self._add("fencing", [f"{store} has committed {', '.join(types)} for a dead incarnation"])

    def asked(self, what: str, status: int, took_s: float) -> None:
        """Hear how long a client waited for an answer; a status of 0 is none."""
        now_s = self._clock.monotonic()
        since_s = self.calm.since_s(now_s)
        if self.links_whole and since_s is not None and now_s - took_s >= since_s:
            self._unrest += self.calm.asked(what, status)
        deadline_s = self.config.edge.deadline_s
        if self.links_whole and took_s > deadline_s + WAY_S:
            self._add("deadlines", [f"{what} took {took_s:.3f} s, of {deadline_s:g} s"])

    def answered(self, who: str, exchange: HttpAnswer) -> None:
        """Hear a whole answer."""
        begun_s = self._clock.monotonic() - exchange.took_s
        found: list[str] = []
        for since_s, config in reversed(self._configs):
            found = list(HttpContract(config.edge).violations(exchange))
            if not found or since_s <= begun_s:
                break
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
        self._resting = True
        self.counted(actors)
        self._add("channels", self._channels.left())
        self._add("timers", self.timers.left(self._clock.now_us()))
        self._add("deferred", self._told)
        self._add("calm", self._unrest)
        if self.calm.undisturbed:
            counts = [(each.name, each.rejected) for each in actors]
            self._add("calm", self.calm.rejected(counts))

    def stopped(self, folder: Path) -> None:
        """Look at the files, which nobody writes any more."""
        sent, applied = self._channels.marks
        pending = self.timers.pending
        # What was let in under a wider limit may be there under a narrower one.
        configs = [config for _, config in self._configs]
        found = check_files(folder, configs, sent=sent, applied=applied, pending=pending)
        self._add("bounds", found)
        self._add("letters", self._letters.left(letters_in(folder)))

    # --- Inside ------------------------------------------------------------------------------

    def _configure(self, config: Config) -> None:
        """Judge by other limits from now on; what small ones refuse is no trouble."""
        self.config = config
        self._configs.append((self._clock.monotonic(), config))
        self.calm.roomy = False
        self._channels.untaken_max = config.store.outbox_messages_max
        # Who keeps keys for a shorter time now may have forgotten those of before.
        self._once.kept_s = min(self._once.kept_s, config.store.client_keys_kept_s)
        self._keys.kept_s = min(self._keys.kept_s, config.store.client_keys_kept_s)
        supervisor = config.supervisor
        self._supervision.budget = RestartBudget(supervisor.intensity, supervisor.period_s)
        self.effects.configure(config.effect, config.breaker)

    def _wrote(
        self,
        store: str,
        batch: Sequence[Handled],
        crash: BaseException | None,
        culprit: Envelope | None,
    ) -> None:
        forward_us = self._clock.set_forward_us
        now_s = self._clock.monotonic()
        since_s = self.calm.since_s(now_s)
        quiet_us = (
            None if since_s is None else self._clock.now_us() - round((now_s - since_s) * 1e6)
        )
        self._add("replies", early_replies(store, batch))
        self._add("once", self._once.hear(store, batch, forward_us=forward_us))
        self._add("keys", self._keys.hear(store, batch, forward_us=forward_us))
        self._add("order", self._order.hear(store, batch))
        self._add("channels", self._channels.hear(store, batch))
        self._add("timers", self.timers.hear(store, batch, quiet_us=quiet_us))
        self._add("effects", self.effects.hear(store, batch))
        self._letters.hear(store, batch)
        self.deferred.hear(store, batch)
        self._add("poison", self._poison.hear(store, batch, crash, culprit))
        if since_s is not None:
            self._unrest += self.calm.batch(store, batch)

    def _add(self, oracle: str, found: Iterable[str]) -> None:
        self.troubles += [f"{oracle}: {each}" for each in found]
