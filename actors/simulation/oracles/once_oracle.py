"""Guarantees 3, 4 and 7: no reply but of its commit, one effect a request, an end of poison."""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from actors.errors import (
    Busy,
    DeadLettered,
    HandlerTimeout,
    MailboxFull,
    Starting,
    StoreError,
    StoreRefused,
)
from actors.kernel.future import AsyncioFuture
from actors.kernel.messages import Later, Refusal, type_name, type_of
from actors.store.messaging.origin import ChannelOrigin, LetterOrigin, TimerOrigin

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator, Sequence

    from actors.kernel.envelope import Envelope
    from actors.simulation.oracles.handled import Handled


# What says to who has asked that nothing of it was done.
UNDONE: Final = (Starting, MailboxFull, StoreRefused)


class _Done(NamedTuple):
    """When a request took effect, by the monotonic clock, and what its keys were older."""

    at_s: float
    older_us: int


class OnceOracle:
    """A request that has taken effect does not run again, by its key or as the same envelope."""

    def __init__(self, keys_kept_s: float) -> None:
        """A client's key is remembered for `keys_kept_s` at least."""
        self.kept_s = keys_kept_s
        self._keys: dict[tuple[str, str], _Done] = {}
        # Envelopes by identity; they are kept, so that no other gets the same.
        self._envelopes: dict[int, Envelope] = {}
        self._letters: set[tuple[str, str]] = set()
        # Under which key a dead letter was asked for, by store and letter.
        self._keys_of: dict[tuple[str, str], str] = {}

    def hear(self, store: str, batch: Sequence[Handled], *, older_us: int) -> Iterator[str]:
        """Note what took effect; yield what did before. `older_us`: what its keys are older."""
        for each in batch:
            envelope = each.envelope
            letter_id = envelope.letter_id
            if isinstance(each.outcome, DeadLettered) and letter_id and envelope.key is not None:
                self._keys_of[store, letter_id] = envelope.key
            if not each.stands or isinstance(each.outcome, DeadLettered):
                continue
            if isinstance(each.outcome, Refusal) and each.outcome.kind == "invalid":
                continue
            name = type(envelope.message).__name__
            if envelope.origin is None:
                yield from self._request(store, each, name)
            if each.run is None:
                continue
            if isinstance(envelope.origin, LetterOrigin):
                letter = (store, envelope.origin.letter_id)
                if letter in self._letters:
                    yield f"{store}: a dead letter {name} has run again after its commit"
                self._letters.add(letter)
            key = envelope.key or self._keys_of.get((store, letter_id or ""))
            if key is not None:
                yield from self._under_key(store, key, each, name, older_us)

    def _request(self, store: str, each: Handled, name: str) -> Iterator[str]:
        envelope = each.envelope
        known = id(envelope) in self._envelopes
        if each.run is None:
            if not known and envelope.key is None:
                yield f"{store}: a request {name} was answered, and has never run"
            return
        if known:
            yield f"{store}: a request {name} has run again after its commit"
        self._envelopes[id(envelope)] = envelope

    def _under_key(
        self, store: str, key: str, each: Handled, name: str, older_us: int
    ) -> Iterator[str]:
        done = self._keys.get((store, key))
        if done is not None:
            age_s = each.at_s - done.at_s + (older_us - done.older_us) / 1e6
            if age_s < self.kept_s:
                yield f"{store}: {name} has run again under the key {key!r}"
        self._keys[store, key] = _Done(each.at_s, older_us)


class PoisonOracle:
    """What crashes its handler runs `attempts_max` times, and is a dead letter then.

    For each end of its sender that came between it may have as many attempts again, for it is sent
    anew; and where it came by no channel, or may have, for each other end of its receiver, too.
    Its sender knows how often it has crashed, whatever becomes of its receiver; but not of a crash
    of which nobody has heard, for its incarnation ended of something else just then.
    """

    def __init__(self, attempts_max: int) -> None:
        """Nothing has crashed yet."""
        self._attempts_max = attempts_max
        # How often a message has crashed, at how many other ends; the envelope is kept.
        self._crashed: dict[Any, tuple[int, int, Envelope]] = {}
        # By name: of whatever, and of another than what was seen to crash; and of processes.
        self._lives: Counter[str] = Counter()
        self._ends: Counter[str] = Counter()
        self._processes = 0
        # By store, the type of what crashed last: its incarnation is going to end of it.
        self._culprits: dict[str, tuple[str, Any]] = {}
        # How often nobody has heard of a message's crash.
        self._unheard: Counter[Any] = Counter()
        # Who was heard to end, and is not up again.
        self._down: set[str] = set()

    def begin(self) -> None:
        """Another process: all have ended with the last one."""
        self._processes += 1
        self._down.clear()

    def ended(self, store: str, message_type: str | None) -> None:
        """Hear which message an incarnation has ended of, if any.

        Another than the one that was seen to crash came before: that attempt does not count.
        """
        culprit, place = self._culprits.pop(store, (None, None))
        self._lives[store] += 1
        self._ends[store] += message_type is None or message_type != culprit
        self._unheard[place] += message_type is None or message_type != culprit
        self._down.add(store)

    def up(self, store: str) -> None:
        """Hear that another incarnation is up: the last may have ended for another's sake."""
        self._lives[store] += store not in self._down
        self._ends[store] += store not in self._down
        if store not in self._down:
            self._unheard[self._culprits.pop(store, (None, None))[1]] += 1
        self._down.discard(store)

    def hear(self, store: str, batch: Sequence[Handled]) -> Iterator[str]:
        """Look at what was buried, and forget what has got through."""
        for each in batch:
            if isinstance(each.outcome, DeadLettered):
                yield from self._buried(store, each)
            elif each.stands:
                self._crashed.pop(_place(store, each.envelope), None)

    def crashed(
        self, store: str, crash: BaseException | None, culprit: Envelope | None
    ) -> Iterator[str]:
        """Count a crash of a message: at once, for whatever ends next is another one's end."""
        if crash is None or culprit is None:
            return
        if isinstance(crash, StoreError | Busy) and not isinstance(crash, HandlerTimeout):
            return
        place = _place(store, culprit)
        self._culprits[store] = type_name(type_of(culprit.message)), place
        count, ends, _ = self._crashed.get(place, (0, self._ends_of(store, culprit), culprit))
        self._crashed[place] = (count + 1, ends, culprit)
        if count == self._allowed(store, culprit, ends):
            name = type(culprit.message).__name__
            yield f"{store}: {name} has crashed {count + 1} times and is not given up"

    def _buried(self, store: str, each: Handled) -> Iterator[str]:
        count, ends, _ = self._crashed.pop(_place(store, each.envelope), (0, 0, None))
        name = type(each.envelope.message).__name__
        if count == 0:  # an effect's last attempt, or what nobody handles
            return
        if not self._attempts_max <= count <= self._allowed(store, each.envelope, ends):
            yield (
                f"{store}: {name} became a dead letter after {count} crashes, "
                f"of {self._attempts_max}"
            )

    def _allowed(self, store: str, envelope: Envelope, ends: int) -> int:
        """Return how often it may crash that began to at so many ends."""
        unheard = self._unheard[_place(store, envelope)]
        return self._attempts_max * (1 + self._ends_of(store, envelope) - ends) + unheard

    def _ends_of(self, store: str, envelope: Envelope) -> int:
        origin = envelope.origin
        if isinstance(origin, ChannelOrigin):  # whatever its sender has ended of, it knew
            return self._processes + self._lives[origin.sender]
        return self._processes + self._ends[store]


class ReplyOracle:
    """No reply is there before its commit, and then it is what was committed.

    That of an answer that was put off is the deferred oracle's.
    """

    def __init__(self, found: list[str]) -> None:
        """What is wrong with a reply goes to `found`, when it leaves."""
        self._found = found
        # Who waits for an answer, each under a number of its own.
        self.waiting: dict[int, str] = {}
        self._numbers = count()

    def begin(self) -> None:
        """Another process: whom the last one owed an answer is gone with it."""
        self.waiting.clear()

    def hear(self, store: str, batch: Sequence[Handled]) -> Iterator[str]:
        """Yield the requests that are answered already: their commit has only just returned."""
        for each in batch:
            inner = inner_of(each.envelope.reply_to)
            if not each.stands or inner is None:
                continue
            if each.run is not None and inner.done() and not _has_failed(inner):
                name = type(each.envelope.message).__name__
                yield f"{store}: {name} was answered before its commit was heard of"
            self.watch(store, each.envelope, each.outcome)

    def watch(self, store: str, envelope: Envelope, outcome: Any) -> None:
        """Hold what its caller is told against the outcome, unless an error comes first."""
        inner = inner_of(envelope.reply_to)
        if inner is None:
            return
        what = f"{store}: {type(envelope.message).__name__}"
        number = next(self._numbers)
        self.waiting[number] = what

        def ended(future: asyncio.Future[Any]) -> None:
            self.waiting.pop(number, None)
            if _has_failed(future) and isinstance(future._exception, UNDONE):  # noqa: SLF001
                self._found.append(f"{what} was told {future._exception}, and was done")  # noqa: SLF001
            if _has_failed(future) or isinstance(outcome, Later):
                return
            told = future.result()
            if told is not outcome and (type(told), told) != (type(outcome), outcome):
                self._found.append(f"{what} was answered {told!r}, and it is {outcome!r}")

        inner.add_done_callback(ended)


def inner_of(reply_to: Any) -> asyncio.Future[Any] | None:
    """Return what tells the end of an ask, to see it and not to wait for it; None of a tell."""
    return reply_to._future if isinstance(reply_to, AsyncioFuture) else None  # noqa: SLF001


def _has_failed(future: asyncio.Future[Any]) -> bool:
    # To ask it for its error would take note of that.
    return future.cancelled() or future._exception is not None  # noqa: SLF001


def _place(store: str, envelope: Envelope) -> Any:
    origin = envelope.origin
    if isinstance(origin, TimerOrigin):
        return store, origin.seq
    if isinstance(origin, ChannelOrigin):
        return store, origin.sender, origin.number
    return store, id(envelope)
