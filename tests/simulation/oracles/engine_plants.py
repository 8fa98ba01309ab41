"""Bugs of the engine, each planted to be found by one of its oracles, by the oracle's name."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import msgspec

from actors.kernel import actor
from actors.kernel.actor import AsyncioActor
from actors.kernel.deadlines import Deadlines
from actors.kernel.exit import Exit
from actors.kernel.future import AsyncioFuture
from actors.kernel.lane_server import LaneServer
from actors.kernel.mailbox import Lane, Mailbox
from actors.kernel.owned_tasks import OwnedTasks
from actors.kernel.registry import Registry
from actors.kernel.supervision import restart_window
from actors.kernel.supervision.supervisor import Supervisor
from actors.service import effects
from actors.service.channel import Channel
from actors.service.deferred_callers import DeferredCallers
from actors.service.operator_calls import OperatorCalls
from actors.simulation.script.schedule import Step
from actors.store.group_commit import GroupCommit
from actors.store.messaging import dead_letter_table, outbox, request_keys, timers
from actors.store.messaging.output_buffer import OutputBuffer
from http_edge import problems
from http_edge.edge import Edge
from http_edge.endpoints.health import ProbeEndpoint
from tests.simulation.plants import PLANTS
from tests.simulation.tally import ReviewTweet, TallyService

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from actors.store.transaction import Transaction

after = OutputBuffer.after
settle = LaneServer._settle
refuse = Mailbox.refuse
go_back = Channel._go_back
ask = OperatorCalls._ask
supervisor = Supervisor.__init__
made = GroupCommit.__init__
add_deadline = Deadlines.add
suspend = AsyncioActor._suspend
drain = Edge.drain
bind = ProbeEndpoint.bind
window = restart_window.RestartWindow.__init__
# What was answered last, by the type of what was asked; and how late a message is counted.
BEFORE: dict[Any, Any] = {}
LATE_S = 5.0
# Of dead letters all but the latest go, whatever the limit.
FORGET_BEYOND = dead_letter_table.FORGET_BEYOND.replace("OFFSET ?", "OFFSET min(1, ?)")


def _asks_nobody(self: ProbeEndpoint, method: str, path: str, context: Any) -> Any:
    return bind(replace(self, check=lambda _: None), method, path, context)


def shifted(changed: Callable[[float], float]) -> AbstractContextManager[Any]:
    def later(self: OutputBuffer, delay_s: float, message: Any, by_us: int | None = None) -> None:
        after(self, changed(delay_s), message, by_us)

    return patch.object(OutputBuffer, "after", later)


class ChargedExit(Exit, frozen=True, kw_only=True):
    """A kill counts as a crash does."""

    def __post_init__(self) -> None:
        if self.reason == "killed":
            msgspec.structs.force_setattr(self, "charged", True)


@contextmanager
def poison(attempts: int = 0) -> Iterator[None]:
    """A review crashes, at each attempt; the store allows so many more than it should."""

    def crash(self: TallyService, tx: Transaction, cmd: ReviewTweet) -> None:
        raise ValueError("poison")

    def more(self: GroupCommit, connection: Any, spec: Any, config: Any, **rest: Any) -> None:
        spec = msgspec.structs.replace(spec, attempts_max=spec.attempts_max + attempts)
        made(self, connection, spec, config, **rest)

    handlers = TallyService.handlers
    crashing = msgspec.structs.replace(handlers[ReviewTweet], function=crash)
    with (
        patch.dict(handlers, {ReviewTweet: crashing}),
        patch.object(GroupCommit, "__init__", more),
    ):
        yield


def _counted_twice(self: LaneServer, envelope: Any, outcome: Any) -> None:
    settle(self, envelope, outcome)
    self.mailbox.handled += 1


def _counted_late(self: LaneServer, envelope: Any, outcome: Any) -> None:
    settle(self, envelope, outcome)
    mailbox = self.mailbox
    mailbox.handled -= 1

    def count() -> None:
        mailbox.handled += 1

    asyncio.get_running_loop().call_later(LATE_S, count)


def _of_the_one_before(self: LaneServer, envelope: Any, outcome: Any) -> None:
    known = BEFORE.setdefault(type(envelope.message), outcome)
    if not isinstance(outcome, BaseException):
        BEFORE[type(envelope.message)] = outcome
        outcome = known
    settle(self, envelope, outcome)


def _waits_for_ever(self: LaneServer, envelope: Any, outcome: Any) -> None:
    settle(self, envelope, outcome)
    loop = asyncio.get_running_loop()
    tasks = OwnedTasks("nobody", self._actor.context)
    tasks.own(loop.create_future())
    loop.create_task(tasks.settled(None))  # noqa: RUF006 - nobody is to keep it


def _tells_no_asker(self: LaneServer, envelope: Any, outcome: Any) -> None:
    if envelope.reply_to is None or envelope.attempt or isinstance(outcome, BaseException):
        settle(self, envelope, outcome)
        return
    envelope.reply_to.leave()
    self.mailbox.handled += 1


def patient(self: Deadlines, waiting: Any, at_s: float, after_s: float, whom: str) -> None:
    add_deadline(self, waiting, at_s + after_s * 9, after_s * 10, whom)


def _put_behind(self: Mailbox, lane: Lane) -> None:
    lane.queue.extend(lane.in_flight)
    lane.in_flight = ()


def _answer_first(self: DeferredCallers, request: str, value: Any) -> None:
    for waiter in self._waiters.pop(request, [])[:1]:
        waiter.future.settle(value)


def _left_ticking(self: AsyncioFuture[Any], value: Any) -> None:
    if not self._future.done():
        self._future.set_result(value)


def _unforgetting(self: restart_window.RestartWindow, intensity: int, period_s: float) -> None:
    window(self, intensity, period_s * 1_000)


def _keeps_events(self: OutputBuffer) -> None:
    messages, timers_before, *_ = self._mark
    del self.output.messages[messages:], self.output.timers[timers_before:]


def _cuts_off(self: Edge, limit_s: float) -> Any:
    return drain(self, limit_s * 0.0)


def _suspends_on_top(self: AsyncioActor, for_s: float | None) -> None:
    self._resumption = None
    suspend(self, for_s)


@contextmanager
def _forgetful() -> Iterator[None]:
    with poison(), patch.object(dead_letter_table, "FORGET_BEYOND", FORGET_BEYOND):
        yield


def _refuse_all(self: Mailbox, reason: Any) -> None:
    """What an incarnation has had in hand, too: as if nobody knew."""
    for lane in self.lanes:
        for envelope in lane.queue:
            envelope.started = False
    refuse(self, reason)


def _forgets_attempts(self: Channel) -> None:
    go_back(self)
    self._crashed = (0, 0, None)


async def _ask_keyless(self: OperatorCalls, envelope: Any, timeout_s: float) -> Any:
    envelope.key = None
    return await ask(self, envelope, timeout_s)


async def _ask_anew(self: OperatorCalls, envelope: Any, timeout_s: float) -> Any:
    if envelope.letter_id is not None:
        envelope.letter_id = f"again {envelope.letter_id}"
    return await ask(self, envelope, timeout_s)


def _never_stable(self: Supervisor, *made: Any, **how: Any) -> None:
    supervisor(self, *made, **how)
    self._config = msgspec.structs.replace(self._config, stable_s=1e9)


# The oracle that has to speak, what it has to say among other things, where, and what is planted.
PLANTED: dict[str, tuple[str, str, str, str, Callable[[], AbstractContextManager[Any]]]] = {
    "a timer fires a tenth early": (
        "timers", "before it was due", "tally", "calm", lambda: shifted(lambda s: s * 0.9),
    ),
    "a timer beyond 10 s fires a thousand times early": (
        "timers", "before it was due", "hotel", "calm",
        lambda: shifted(lambda s: s / 1_000 if s > 10 else s),
    ),
    "a timer fires late": (
        "timers", "s late", "tally", "calm", lambda: shifted(lambda s: s * 10),
    ),
    "a timer fires twice": (
        "timers", "or twice", "tally", "kills", PLANTS["timer_twice"].planted,
    ),
    "a reply leaves before its commit": (
        "replies", "before its commit", "tally", "calm", PLANTS["reply_before_commit"].planted,
    ),
    "a request runs again under its key": (
        "once", "under the key", "tally", "calm", PLANTS["no_request_keys"].planted,
    ),
    "a message that comes twice is applied twice": (
        "channels", "twice", "tally", "kills", PLANTS["no_dedup"].planted,
    ),
    "messages are lost with their sender": (
        "channels", "has not", "hotel", "kills", PLANTS["outbox_in_memory"].planted,
    ),
    "poison runs once too often": (
        "poison", "is not given up", "tally", "calm", lambda: poison(1),
    ),
    "poison is given up too soon": (
        "poison", "after 2 crashes", "tally", "calm", lambda: poison(-1),
    ),
    "kills spend the restart budget": (
        "supervision", "was parked after 0", "tally", "kills",
        lambda: patch.object(actor, "Exit", ChargedExit),
    ),
    "restarts of an hour ago are counted": (
        "supervision", "was parked after", "workshop", "handlers",
        lambda: patch.object(restart_window.RestartWindow, "__init__", _unforgetting),
    ),
    "who is down is said to be up": (
        "supervision", "is said to be up", "tally", "kills",
        lambda: patch.object(Registry, "unhealthy", lambda self: []),
    ),
    "the edge says that all are ready, whoever is down": (
        "supervision", "/readyz is 200", "tally", "kills",
        lambda: patch.object(ProbeEndpoint, "bind", _asks_nobody),
    ),
    "a suspension ends when the one before it is over": (
        "supervision", "nor was it time", "workshop", "kills",
        lambda: patch.object(AsyncioActor, "_suspend", _suspends_on_top),
    ),
    "a backoff is never over": (
        "supervision", "later than 0 s after its end", "workshop", "handlers",
        lambda: patch.object(Supervisor, "__init__", _never_stable),
    ),
    "what crashes again when it is replayed is a letter more": (
        "letters", "as well", "workshop", "handlers",
        lambda: patch.object(OperatorCalls, "_ask", _ask_anew),
    ),
    "a message is counted twice": (
        "accounts", "has accepted", "tally", "calm",
        lambda: patch.object(LaneServer, "_settle", _counted_twice),
    ),
    "a message is counted when all is over": (
        "accounts", "has accepted", "tally", "calm",
        lambda: patch.object(LaneServer, "_settle", _counted_late),
    ),
    "who asks gets the answer to the one before": (
        "replies", "was answered", "tally", "calm",
        lambda: patch.object(LaneServer, "_settle", _of_the_one_before),
    ),
    "after a crash the edge knows nothing to say": (
        "http", "was answered 500", "tally", "kills",
        lambda: patch.object(problems, "_ERRORS", problems._ERRORS[:1]),
    ),
    "what was applied last stays in the outbox": (
        "bounds", "messages to one receiver at rest", "tally", "calm",
        lambda: patch.object(outbox, "REMOVE", outbox.REMOVE.replace("<=", "<")),
    ),
    "a task is left behind": (
        "bounds", "OwnedTasks.settled still runs", "tally", "calm",
        lambda: patch.object(LaneServer, "_settle", _waits_for_ever),
    ),
    "who asks is never told": (
        "bounds", "is not answered at rest", "tally", "calm",
        lambda: patch.object(LaneServer, "_settle", _tells_no_asker),
    ),
    "nobody is told that the time is up": (
        "deadlines", "of 5 s", "tally", "kills",
        lambda: patch.object(Deadlines, "add", patient),
    ),
    "whoever waits when the process ends is cut off": (
        "deadlines", "before the process ended in order", "workshop", "kills",
        lambda: patch.object(Edge, "drain", _cuts_off),
    ),
    "who has an answer leaves the timer of its deadline": (
        "bounds", "for a wait that is over", "tally", "calm",
        lambda: patch.object(AsyncioFuture, "settle", _left_ticking),
    ),
    "events of who was refused are kept": (
        "bounds", "keeps the events", "workshop", "calm",
        lambda: patch.object(OutputBuffer, "savepoint_undone", _keeps_events),
    ),
    "timers that have fired are kept": (
        "bounds", "holds the timers", "tally", "calm",
        lambda: patch.object(timers, "REMOVE", f"{timers.REMOVE} AND 0"),
    ),
    "a handler crashes though nothing is done to it": (
        "calm", "has crashed", "tally", "calm", poison,
    ),
    "who asks under a used key for something else gets its answer": (
        "keys", "of another request", "workshop", "calm",
        lambda: patch.object(request_keys, "is_of", lambda *_: True),
    ),
    "of two who wait for one answer the second is not told": (
        "deferred", "who waited for", "workshop", "calm",
        lambda: patch.object(DeferredCallers, "answer", _answer_first),
    ),
    "what was in hand at a crash goes behind what waits": (
        "order", "of its mailbox, after", "workshop", "kills",
        lambda: patch.object(Mailbox, "put_back", _put_behind),
    ),
    "an effect is tried again at once": (
        "effects", "is tried again too soon", "workshop", "calm",
        lambda: patch.object(effects, "full_jitter_s", lambda *_, **__: 0.0),
    ),
    "an effect is tried again late": (
        "effects", "later than it may be", "workshop", "calm",
        lambda: patch.object(effects, "full_jitter_s", lambda *_, **__: 6.0),
    ),
    "a dead letter pushes out all before it": (
        "letters", "has lost the dead letters", "tally", "calm", _forgetful,
    ),
    "a dead incarnation commits": (
        "fencing", "for a dead incarnation", "tally", "kills", PLANTS["no_fence"].planted,
    ),
    "a channel does not try again": (
        "liveness", "after the last fault", "tally", "disk",
        lambda: patch.object(Channel, "_try_again", lambda self: None),
    ),
}  # fmt: skip

# What takes so rare a moment that it is written down: the oracle, what it has to say, what is done
# to a workshop where two place a job, and what is planted.
SCRIPTED: dict[str, tuple[str, str, Step, Callable[[], AbstractContextManager[Any]]]] = {
    "what a channel sends again has never crashed": (
        "poison", "has crashed 4 times", Step(0, "lock_poison", "mill.DoJob", 3_000),
        lambda: patch.object(Channel, "_go_back", _forgets_attempts),
    ),
    "what was in hand is refused at a start": (
        "replies", "and was done", Step(0, "lock_at", "desk.PlaceJob.after", 3_000),
        lambda: patch.object(Mailbox, "refuse", _refuse_all),
    ),
    "a replay forgets its key": (
        "once", "under the key", Step(0, "poison", "desk.PlaceJob"),
        lambda: patch.object(OperatorCalls, "_ask", _ask_keyless),
    ),
}  # fmt: skip
