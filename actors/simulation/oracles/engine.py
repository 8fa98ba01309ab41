"""What must hold of the engine whatever is built on it: its oracles, and what they have found.

Each stands for guarantees of docs/GUARANTEES.md, which names them. They share no code with what
they judge: they hear handlers, commits and lifecycle events, and read the files with SQL of their
own.
"""

from __future__ import annotations

from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Final

from actors.kernel import lifecycle
from actors.kernel.messages import type_name
from actors.simulation.oracles.admission_oracle import LOST_S, AdmissionOracle
from actors.simulation.oracles.answers.cache_oracle import CacheOracle, TimelessTransaction
from actors.simulation.oracles.calm_oracle import NO_ROOM, CalmOracle
from actors.simulation.oracles.channel_oracle import ChannelOracle
from actors.simulation.oracles.commit_watch import CommitWatch
from actors.simulation.oracles.deadline_oracle import (
    WAY_S,
    DeadlineOracle,
    ExpiryOracle,
    LastAnswers,
    expired,
)
from actors.simulation.oracles.effect_oracle import SILENCE, EffectOracle
from actors.simulation.oracles.files_at_rest import check_files, left_running, letters_in
from actors.simulation.oracles.http_contract import HttpContract
from actors.simulation.oracles.key_ages import KeyAges
from actors.simulation.oracles.key_oracle import DeferredOracle, KeyOracle
from actors.simulation.oracles.left_timers import LeftTimers
from actors.simulation.oracles.letter_oracle import LetterOracle
from actors.simulation.oracles.metrics_oracle import MetricsOracle
from actors.simulation.oracles.once_oracle import OnceOracle, PoisonOracle, ReplyOracle
from actors.simulation.oracles.order_oracle import OrderOracle
from actors.simulation.oracles.outside.retry_oracle import RetryOracle
from actors.simulation.oracles.restart_delay_oracle import RestartDelayOracle
from actors.simulation.oracles.standstills import Standstills
from actors.simulation.oracles.supervision_oracle import (
    RestartBudget,
    SiblingOracle,
    SupervisionOracle,
)
from actors.simulation.oracles.timer_oracle import TimerOracle

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from actors.config import Config, EdgeConfig
    from actors.kernel.envelope import Envelope
    from actors.kernel.stats import ActorStats
    from actors.service.group import Group
    from actors.simulation.oracles.effect_oracle import EffectLimits
    from actors.simulation.oracles.handled import Handled
    from actors.simulation.oracles.http_contract import HttpAnswer
    from actors.simulation.oracles.letter_oracle import LetGo
    from actors.simulation.oracles.metrics_oracle import Known
    from actors.simulation.oracles.past import Past
    from actors.simulation.oracles.shards.shard_oracle import Declared
    from actors.simulation.oracles.subscriptions import Subscriber
    from actors.simulation.time.virtual_clock import VirtualClock

# By the name under which docs/GUARANTEES.md has it, and a trouble begins.
ORACLES: Final[Mapping[str, str]] = {
    "replies": "no reply leaves before its commit has returned, and each is what was committed; "
    "nobody is told that nothing was done of what was",
    "once": "a request that has taken effect does not run again",
    "keys": "who asks again under its key gets the first answer; what is invalid uses up no key",
    "deferred": "an answer that was put off is told to all who wait, soon after its commit",
    "order": "what a mailbox has accepted first is run first; what is half done may go before what "
    "begins",
    "channels": "what a handler sends is applied once, whole and in order; nothing else is",
    "shards": "a shard has the rows of its own keys, and runs what is meant for it alone",
    "timers": "a timer fires once, never early, in calm not late, and none is left that was due",
    "effects": "attempts follow each other as configured, within their time, behind their breaker",
    "retries": "a dependency is asked again no more often than its first attempts and time allow",
    "letters": "what was given up is one letter, and kept until it has run again, or is let go",
    "fencing": "a dead incarnation commits nothing; each has an epoch of its own",
    "poison": "what crashes its handler runs attempts_max times, and is a dead letter then",
    "supervision": "who is parked has crashed too often by itself; who has ended is started again "
    "at once, or after a pause that grows with its crashes and not in stable times; siblings are "
    "started again as their group has it, and nobody else is; who was resumed runs, who is "
    "suspended is so for his time; nobody who is down is said to be up",
    "accounts": "accepted = handled + refused + dead-lettered + handed over + queued, of every "
    "actor",
    "caches": "an answer that was kept is what its query says at that moment; who ask together "
    "are read for once; no more is kept than may be",
    "http": "every answer has the status, the headers and the form that its request is to get",
    "admission": "no more of a kind is in progress than may be; who is refused for that meets so "
    "many, is told when to come again, at once, and nothing of it was begun; nobody keeps a place",
    "metrics": "what /metrics has counted is what clients were told, what was tried and restarted, "
    "and what files hold; no counter goes back while its process runs; no breaker has opened where "
    "some calls were always answered",
    "deadlines": "no answer comes late where the network is whole, nor never, for that the process "
    "ends in order; what is too late is not run, and what is not too late is",
    "bounds": "what is left at rest is what configuration allows, and what was seen to be written; "
    "who has an answer leaves no timer",
    "calm": "where nothing is done to it, nothing crashes, restarts, parks or finds no room",
    "liveness": "when faults have ended, all runs and nothing waits, within a bound, by itself",
    "files": "whose past is lost, or another's, is down and writes nothing; what is to help helps",
    "digest": "a seed is played again with the same digest",
    "audit": "the system's own audit of its files, and its scenario, find nothing",
}

PAUSE: Final = ("pause", "process")
# Where is asked whether every service is up.
READY: Final = "/readyz"


class Engine:
    """Hears what one run does to its stores and actors; `troubles` is what was wrong."""

    def __init__(
        self,
        config: Config,
        clock: VirtualClock,
        past: Past,
        *,
        roomy: bool = True,
    ) -> None:
        """`past` is what the files hold.

        It is not `roomy` where limits are small on purpose: a refusal for room is none to judge.
        """
        self.troubles: list[str] = []
        self.deadlines = DeadlineOracle()
        self.pauses = Standstills()
        self.last_answers = LastAnswers(self.pauses)
        self.admissions = AdmissionOracle(config.edge.admission)
        self.metrics = MetricsOracle()
        # How all actors of the process that is up stand; nobody where none is.
        self.actors: Callable[[], Sequence[ActorStats]] = tuple
        # Which services the process that is up says not to be up; nobody where none is.
        self.unready: Callable[[], Collection[str] | None] = lambda: None
        # All timers of the loop.
        self.ticking: Callable[[], Sequence[asyncio.TimerHandle]] = tuple
        self._left_timers = LeftTimers()
        self._miscounted: set[str] = set()
        self._misjudged: set[str] = set()
        self.commits = CommitWatch(self._wrote, clock)
        self.config = config
        self._clock = clock
        # By service and type: those of all effects.
        limits: dict[tuple[str, str], EffectLimits] = {}
        self._times = ExpiryOracle(past, limits)
        self.timers = TimerOracle(past, self.pauses, self._times)
        self._channels = ChannelOracle(
            past,
            times=self._times,
            kept_max=config.store.events_kept_max,
            untaken_max=config.store.outbox_messages_max,
            window_max=config.channel.window_messages,
        )
        self._once = OnceOracle(config.store.client_keys_kept_s)
        self._poison = PoisonOracle(config.service.attempts_max)
        supervisor = config.supervisor
        budget = RestartBudget(supervisor.intensity, supervisor.period_s)
        self._supervision = SupervisionOracle(budget)
        self._siblings = SiblingOracle(budget)
        self._delays = RestartDelayOracle(supervisor, self.pauses)
        self.calm = CalmOracle(roomy=roomy)
        self.retries = RetryOracle(config.effect)
        self.effects = EffectOracle(
            config.effect, config.breaker, self.pauses, self._times, self.retries
        )
        self.effects.limits = limits
        self._keys = KeyOracle(config.store.client_keys_kept_s, past.keys)
        self.ages = KeyAges()
        self._told: list[str] = []
        self.deferred = DeferredOracle(clock.monotonic, self._told, self.pauses)
        self._answered: list[str] = []
        self._replies = ReplyOracle(self._answered)
        self._caches = CacheOracle()
        self._letters = LetterOracle(config.service.dead_letters_max)
        self._order = OrderOracle()
        self._epochs: dict[str, int] = {}
        # What calm was disturbed by: of a run that has no end its end tells more.
        self._unrest: list[str] = []
        self._resting = False
        self._contract = HttpContract()
        # By when each was in force first: an answer may be of the one before.
        self._configs: list[tuple[float, Config]] = [(0.0, config)]

    @property
    def edge(self) -> EdgeConfig:
        """What clients may know of how it is configured."""
        return self.config.edge

    @property
    def let_go(self) -> Sequence[LetGo]:
        """Dead letters that an operator discarded, or that went for newer ones, oldest first."""
        return self._letters.let_go

    @property
    def wall_us(self) -> int:
        """What the wall clock says, in microseconds of the epoch."""
        return self._clock.now_us()

    def booted(
        self,
        config: Config,
        subscribers: Sequence[Subscriber],
        groups: Mapping[str, str],
        specs: Mapping[str, Group],
        routes: AbstractSet[tuple[str, str]],
        streams: AbstractSet[tuple[str, str]] = frozenset(),
        shards: Sequence[Declared] = (),
    ) -> None:
        """Hear that another process begins, how it is configured, and who listens to what there.

        `groups` are by actor, `specs` the groups, by their names; `routes` the gateway's addresses,
        of which `streams` give whole lists; `shards` the services that are kept so.
        """
        if config != self.config:
            self._configure(config)
        self._keys.version += self._channels.subscriptions.declare(subscribers)
        self._channels.shards.declare(shards)
        self._supervision.begin(groups)
        self._siblings.begin(groups, specs)
        self._delays.begin(alone=not groups)
        self.admissions.begin(config.edge.admission, streams)
        self.metrics.begin(routes, self._clock.monotonic())
        self._order.begin()
        self._replies.begin()
        self.timers.begin()
        self.effects.begin()
        self.retries.begin()
        self._poison.begin()

    def serves(self, actors: Sequence[ActorStats]) -> None:
        """Hear that all of it is up."""
        self.calm.serves(_rejected(actors))

    def happened(self, event: lifecycle.LifecycleEvent) -> None:
        """Hear of an actor, of a process that is up."""
        now_s = self._clock.monotonic()
        self._add("supervision", self._supervision.hear(event, now_s))
        self._add("supervision", self._siblings.hear(event, now_s))
        self._delays.hear(event, now_s)
        if not self._resting:
            self._unrest += self.calm.hear(event, now_s)
        if isinstance(event, lifecycle.Crashed):
            self._poison.ended(event.name, event.message_type)
            self.effects.ended(event.name)
            self.retries.ended(event.name)
        if isinstance(event, lifecycle.Crashed | lifecycle.Suspended):
            self.deferred.up(event.name, None)
        elif isinstance(event, lifecycle.Started | lifecycle.Restarted | lifecycle.Resumed):
            self.deferred.up(event.name, now_s)
        if isinstance(event, lifecycle.Restarted):
            self._poison.up(event.name)
            self.metrics.restarted(event.name)
        if isinstance(event, lifecycle.Stopped):
            self.metrics.left_for_good(event.name)
        self.counted(self.actors())

    def disturbed(self) -> None:
        """Hear that a fault strikes."""
        self.calm.disturb(self._clock.monotonic())

    def stepped(self, by_s: float) -> None:
        """Hear that the wall clock was set, by so much; it says already what it says now."""
        now_s = self._clock.monotonic()
        self._times.says(self._clock.now_us() - round(by_s * 1e6))
        # Who waits for a timer looks at the clock now and then, and sees it no sooner.
        lasts_s = max(self._clock.behind_us / 1e6, self.config.timer.poll_s_max)
        self.calm.stepped(now_s, lasts_s)
        self.timers.stepped(round(by_s * 1e6), now_s)

    def paused(self) -> None:
        """Hear that nothing of the process runs from now on."""
        now_s = self._clock.monotonic()
        self.pauses.begin(now_s)
        self._supervision.stood_still()
        self.calm.lasts(PAUSE, now_s)

    def unpaused(self) -> None:
        """Hear that it runs again."""
        now_s = self._clock.monotonic()
        self.pauses.end(now_s)
        self.calm.ends(PAUSE, now_s)

    def wanted(self, action: str, actor: str, *, for_s: float | None = None) -> None:
        """Hear what an operator, or a fault, wants of an actor; for so long, where that is said."""
        self.disturbed()
        if action == "suspend":
            self._supervision.suspended(actor, self._clock.monotonic(), for_s)
        elif action == "resume":
            self._add("supervision", self._supervision.resumed(actor, self._clock.monotonic()))
        elif action == "restart":
            self._siblings.asked_for(actor, self._clock.monotonic())

    def asking(self, action: str, actor: str, count: int, *, lost: bool = False) -> None:
        """Hear that an operator has begun to ask for it, 1, or has an answer, -1.

        One attempt may be `lost`: nobody waits for it, and it may still come.
        """
        if action in {"suspend", "resume"}:
            self._supervision.asking(action, actor, count, self._clock.monotonic(), lost=lost)

    def confirmed(self, actor: str, for_s: float) -> None:
        """Hear that an operator was told, at once, that an actor is suspended for so long."""
        self._supervision.confirmed(actor, self._clock.monotonic(), for_s)

    def attempted(self, store: str, messages: Sequence[Any]) -> None:
        """Hear that an effect is about to ask the outside world: for several, if it takes lists."""
        now_s = self._clock.monotonic()
        self.metrics.tried(store, type_name(type(messages[0])), now_s)
        self._add("effects", self._attempted(store, messages, now_s))
        self._add("retries", self.retries.attempted(store, messages, now_s))

    def finished(
        self,
        store: str,
        messages: Sequence[Any],
        values: Sequence[Any],
        error: BaseException | None,
    ) -> None:
        """Hear what the outside world has said to it."""
        now_s = self._clock.monotonic()
        what = type_name(type(messages[0]))
        if error is None:
            self.metrics.succeeded(store, what, now_s)
        else:
            silence_s, silent = self.config.effect.silence_s, isinstance(error, SILENCE)
            self.metrics.failed(store, what, now_s, silent=silent, silence_s=silence_s)
        self._add("effects", self.effects.finished(store, messages, now_s, values, error))
        self.retries.finished(store, messages, now_s, error)

    def begun(self, store: str) -> None:
        """Hear that an incarnation is made."""
        self._add("supervision", self._delays.begun(store, self._clock.monotonic()))

    def opened(self, store: str, epoch: int) -> None:
        """Hear which epoch an incarnation has taken."""
        if epoch <= self._epochs.get(store, 0):
            self._add("fencing", [f"{store} was opened with the epoch {epoch} once more"])
        self._epochs[store] = epoch
        kept_s = self.config.store.client_keys_kept_s
        self.ages.opened(store, self._clock.set_forward_us, kept_s)
        self._channels.opened(store)
        self.timers.opened(store, self._clock.monotonic())

    def given(self, store: str, batch: Sequence[Envelope]) -> None:
        """Hear what a store is to work on."""
        self._add("deadlines", expired(store, batch, self._clock.monotonic(), self.pauses))
        self._add("channels", self._channels.given(store, batch))
        self._add("admission", self.admissions.given(store, batch))

    def wrote_dead(self, store: str, types: Sequence[str]) -> None:
        """Hear that a batch was committed whose incarnation has ended."""
        self._add("fencing", [f"{store} has committed {', '.join(types)} for a dead incarnation"])

    def asked(
        self,
        who: str,
        what: str,
        status: int,
        took_s: float,
        deadline_s: float | None = None,
        *,
        timeout_s: float = inf,
    ) -> None:
        """Hear how long a client waited for an answer; a status of 0 is none.

        Past the edge nothing is on its way long, and there may be another deadline. At the edge a
        client may have said that he waits for `timeout_s` at most.
        """
        now_s, host = self._clock.monotonic(), who if deadline_s is None else ""
        begun_s, what = now_s - took_s, f"{who}: {what}"
        if timeout_s == inf and self.is_calm_since(host, begun_s):
            places = self.config.edge.connections_max
            self._unrest += self.calm.asked(what, status, places=places)
        limit_s = self.config.edge.deadline_s if deadline_s is None else deadline_s
        limit_s = min(limit_s, timeout_s)
        own_s = took_s - self.pauses.within(begun_s, now_s)
        own_s -= self.admissions.rested_s(host, begun_s, now_s)
        self._add("deadlines", self.deadlines.asked(what, host, begun_s, own_s, limit_s))
        if not status and deadline_s is None and self.deadlines.is_whole(host, begun_s):
            self._add("deadlines", self.last_answers.unanswered(what, begun_s, now_s))
        self._add("bounds", self._left_timers.look(self.ticking(), now_s))
        self._look_who_is_ready()
        self.counted(self.actors())

    def read(self, store: str, batch: Sequence[Envelope], outcomes: Sequence[Any]) -> None:
        """Hear what was found for those who asked a question."""
        self._add("admission", self.admissions.given(store, batch))
        self._add("caches", self._caches.read(store, batch, outcomes))
        for envelope, outcome in zip(batch, outcomes, strict=False):
            self._replies.watch(store, envelope, outcome)

    def known(
        self,
        store: str,
        hit: tuple[Envelope, Any],
        ask: Callable[[TimelessTransaction], Any],
        tx: TimelessTransaction,
    ) -> None:
        """Hear what was told without reading it; `ask` has its handler read it now."""
        envelope, told = hit
        # It may be asked anew, where its incarnation ends over those that came with it.
        self._add("admission", self.admissions.given(store, [envelope]))
        self._add("caches", self._caches.known(store, envelope.message, told, ask, tx))

    def sends(self, request_id: str, method: str, target: str, *, as_operator: bool) -> None:
        """Hear that a client is about to ask the gateway."""
        now_s = self._clock.monotonic()
        self.admissions.sends(request_id, method, target, now_s, as_operator=as_operator)
        self.metrics.sends(request_id, method, target)

    def ended(self, who: str, request_id: str, begun_s: float, *, answered: bool) -> None:
        """Hear that it has its answer, or that its client waits no longer: it goes on then."""
        now_s = until_s = self._clock.monotonic()
        if not answered:
            due_s = begun_s + self.config.edge.deadline_s + WAY_S
            late = self.pauses.within(begun_s, now_s) or not self.deadlines.is_whole(who, begun_s)
            until_s = now_s + LOST_S if late else max(now_s, due_s)
        self.admissions.ended(request_id, until_s)

    def answered(self, who: str, exchange: HttpAnswer) -> None:
        """Hear a whole answer."""
        if exchange.port is None:
            self._add("admission", self._admitted(who, exchange))
            if (exchange.method, exchange.status) == ("GET", 200):
                self.admissions.read(exchange.target)
        begun_s = self._clock.monotonic() - exchange.took_s
        self.metrics.answered(exchange, begun_s)
        found: list[str] = []
        for since_s, config in reversed(self._configs):
            found = list(self._contract.violations(exchange, config.edge))
            if not found or since_s <= begun_s:
                break
        self._add("http", [f"{who}: {each}" for each in found])
        if (exchange.target, exchange.status) == (READY, 200) and self.unready() is not None:
            down = sorted(self.calm.down_since(begun_s) & self._epochs.keys())
            self._add("supervision", [f"{READY} is 200, and {each} was not up" for each in down])

    def scraped(self, text: str, known: Known, begun_s: float, *, at_rest: bool) -> None:
        """Hear what `/metrics` has said to who asked then, when so much was known of it.

        At rest, nothing follows it.
        """
        found = self.metrics.scraped(
            text,
            known,
            begun_s,
            self._clock.monotonic(),
            links_whole=self.deadlines.untouched,
            at_rest=at_rest,
        )
        self._add("metrics", found)
        self._add("caches", self._caches.counted(text, self.config.cache))

    def is_calm_since(self, host: str, begun_s: float) -> bool:
        """Whether nothing has been done to system and link since then, nor just before."""
        since_s = self.calm.since_s(self._clock.monotonic())
        whole = self.deadlines.is_whole(host, begun_s)
        return whole and since_s is not None and begun_s >= since_s

    def has_room_since(self, host: str, begun_s: float) -> bool:
        """Whether it has been calm since then, and no limit is small on purpose."""
        return self.calm.roomy and self.is_calm_since(host, begun_s)

    def may_have_forgotten(self, age_s: float) -> bool:
        """Whether a key that was used so long ago may be free again."""
        return self.ages.may_be_gone(age_s, self._keys.kept_s)

    def told(self, trouble: str) -> None:
        """Hear from a client what is wrong with an answer."""
        self._add("http", [trouble])

    def heard(self, service: str, key: str, message: Any, answer: Any) -> None:
        """Hear what a client was told past the edge, under its key."""
        self._add("keys", self._keys.told(service, key, message, answer))

    def counted(self, actors: Iterable[ActorStats]) -> None:
        """Hear how actors count their messages, at any moment."""
        for each in actors:
            ended = each.handled + each.refused + each.dead_lettered + each.handed_over
            ended += each.mailbox_depth
            if ended != each.accepted and each.name not in self._miscounted:
                self._miscounted.add(each.name)
                self._add("accounts", [f"{each.name} has accepted {each.accepted}, not {ended}"])

    def unwell(self, found: Iterable[str]) -> None:
        """Hear what is not well again though the faults have ended."""
        self._add("liveness", found)

    def rested(self, actors: Sequence[ActorStats]) -> None:
        """Hear that nothing is under way any more; the process still runs."""
        self._resting = True
        self.counted(actors)
        self._add("channels", self._channels.left())
        self._add("supervision", self._siblings.left())
        self._add("timers", self.timers.left(self._clock.now_us()))
        self._add("deferred", self._told)
        self._add("replies", self._answered)
        self._add("calm", self._unrest)
        if self.calm.undisturbed:
            self._add("calm", self.calm.rejected(_rejected(actors)))

    @property
    def waiting(self) -> Mapping[int, str]:
        """Who waits for an answer of the process, by a number that nobody else gets."""
        return self._replies.waiting

    def lingered(self, waiting: Iterable[str], tasks: Iterable[asyncio.Task[Any]]) -> None:
        """Hear who has waited, and what has run, for long though nothing was under way."""
        self._add("bounds", [f"{each} is not answered at rest" for each in waiting])
        self._add("bounds", left_running(tasks))

    def stopped(self, folder: Path) -> None:
        """Look at the files, which nobody writes any more."""
        sent, applied = self._channels.marks
        pending = self.timers.pending
        found = check_files(
            folder,
            [config for _, config in self._configs],
            sent=sent,
            applied=applied,
            pending=pending,
            kept=self._channels.subscriptions.kept,
            answers_gone=self._letters.may_lack,
        )
        self._add("bounds", found)
        self._add("shards", self._channels.shards.left(folder))
        letters = letters_in(folder)
        self._add("letters", self._letters.left(letters))
        self._add("metrics", self.metrics.left(letters))

    # --- Inside ------------------------------------------------------------------------------

    def _admitted(self, who: str, seen: HttpAnswer) -> Iterator[str]:
        said = seen.body if isinstance(seen.body, dict) and seen.status == NO_ROOM else {}
        kind = str(said.get("type")).rpartition("/")[2]
        now_s = self._clock.monotonic()
        begun_s = now_s - seen.took_s
        own_s, is_whole = 0.0, self.deadlines.is_whole(who, begun_s)
        # What has a body may be told before that is sent, and reads its answer behind it.
        if seen.method == "GET" and is_whole:
            own_s = seen.took_s - self.pauses.within(begun_s, now_s)
            own_s -= self.admissions.rested_s(who, begun_s, now_s)
        found = self.admissions.answered(
            who, seen.request_id, seen.method, seen.target, kind, now_s, own_s,
            may_be_twice=not is_whole,
        )  # fmt: skip
        return (f"{who}: {each}" for each in found)

    def _attempted(self, store: str, messages: Sequence[Any], now_s: float) -> Iterator[str]:
        pending, now_us = self.timers.pending.get(store, {}), self._clock.now_us()
        return self.effects.attempted(store, messages, now_s, pending, now_us=now_us)

    def _look_who_is_ready(self) -> None:
        unready = self.unready()
        if unready is None:
            return
        down = self.calm.down & self._epochs.keys() - self._misjudged
        # Another version has none of that name, which was down when the last one ended.
        there = {each.name for each in self.actors()} if down else ()
        for name in sorted(down):
            if name in there and name not in unready:
                self._misjudged.add(name)
                self._add("supervision", [f"{name} is said to be up, and is not"])

    def _configure(self, config: Config) -> None:
        """Judge by other limits from now on; what small ones refuse is no trouble."""
        self.config = config
        self._configs.append((self._clock.monotonic(), config))
        self.calm.roomy = False
        self._channels.untaken_max = config.store.outbox_messages_max
        self._channels.window_max = config.channel.window_messages
        # Who keeps keys for a shorter time now may have forgotten those of before.
        self._once.kept_s = min(self._once.kept_s, config.store.client_keys_kept_s)
        self._keys.kept_s = min(self._keys.kept_s, config.store.client_keys_kept_s)
        supervisor = config.supervisor
        budget = RestartBudget(supervisor.intensity, supervisor.period_s)
        self._supervision.budget = self._siblings.budget = budget
        self._delays.config = supervisor
        self.effects.configure(config.effect, config.breaker)
        self.retries.config = config.effect

    def _wrote(
        self,
        store: str,
        batch: Sequence[Handled],
        crash: BaseException | None,
        culprit: Envelope | None,
    ) -> Callable[[], None]:
        """Return what tells of a commit, as things stand when it comes."""
        older_us = self.ages.added_us(store)
        now_s = self._clock.monotonic()
        since_s = self.calm.since_s(now_s)
        quiet_us = (
            None if since_s is None else self._clock.now_us() - round((now_s - since_s) * 1e6)
        )
        self._add("poison", self._poison.crashed(store, crash, culprit))
        return partial(
            self._hear,
            store,
            batch,
            older_us=older_us,
            since_s=since_s,
            quiet_us=quiet_us,
        )

    def _hear(
        self,
        store: str,
        batch: Sequence[Handled],
        *,
        older_us: int,
        since_s: float | None,
        quiet_us: int | None,
    ) -> None:
        self._add("replies", self._replies.hear(store, batch))
        self._add("deadlines", self._times.hear(store, batch))
        self._add("once", self._once.hear(store, batch, older_us=older_us))
        self._add("keys", self._keys.hear(store, batch, older_us=older_us))
        self._add("order", self._order.hear(store, batch))
        self._add("channels", self._channels.hear(store, batch))
        self._add("shards", self._channels.shards.hear(store, batch))
        self._add("timers", self.timers.hear(store, batch, quiet_us=quiet_us))
        self._add("effects", self.effects.hear(store, batch))
        self._add("letters", self._letters.hear(store, batch))
        self.deferred.hear(store, batch)
        self.metrics.hear(store, batch)
        self._add("poison", self._poison.hear(store, batch))
        if since_s is not None:
            self._unrest += self.calm.batch(store, batch)

    def _add(self, oracle: str, found: Iterable[str]) -> None:
        self.troubles += [f"{oracle}: {each}" for each in found]


def _rejected(actors: Sequence[ActorStats]) -> list[tuple[str, int]]:
    return [(each.name, each.rejected) for each in actors]
