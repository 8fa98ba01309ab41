"""Guarantees 4, 19 and 22: who asks again under its key gets the first answer, and nobody else."""

from __future__ import annotations

from collections import defaultdict
from math import inf
from typing import TYPE_CHECKING, Any

from actors.errors import DeadLettered
from actors.kernel.messages import Accepted, Later, Refusal
from actors.simulation.oracles.handled import Content, encode, holds
from actors.simulation.oracles.once_oracle import inner_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Iterator, Sequence

    from actors.simulation.oracles.handled import Handled
    from actors.simulation.oracles.standstills import Standstills

# How soon after its commit an answer that was put off is told to who waits for it, where the
# service is up.
TOLD_S_MAX = 1.0


class _Known:
    """What was asked under a key, and the answer; `request` is open while that is to come."""

    __slots__ = ("answer", "asked", "at_s", "older_us", "request", "version")

    def __init__(self, asked: Content, each: Handled, older_us: int, version: int) -> None:
        later = isinstance(each.outcome, Later)
        self.asked = asked
        self.version = version
        self.at_s, self.older_us = each.at_s, older_us
        self.request = each.outcome.request if later else None
        self.answer = b"" if later else encode(each.outcome)


class KeyOracle:
    """Remembers what was done under which key, and compares what is answered under it later."""

    def __init__(self, keys_kept_s: float, known: Collection[tuple[str, str]]) -> None:
        """A key is remembered for `keys_kept_s`; `known` are (service, key) of before the run."""
        self.kept_s = keys_kept_s
        self._past = frozenset(known)
        self._known: dict[tuple[str, str], _Known] = {}
        # Of (service, request): under which key it was put off.
        self._open: dict[tuple[str, str], tuple[str, str]] = {}
        # The number of what runs: another version may read a request or an answer otherwise.
        self.version = 0

    def hear(self, store: str, batch: Sequence[Handled], *, older_us: int) -> Iterator[str]:
        """Note what was answered; yield where that is not what it was before."""
        for each in batch:
            key = each.envelope.key
            if key is not None and each.stands and not isinstance(each.outcome, DeadLettered):
                yield from self._under_key(store, key, each, older_us)
        for each in batch:  # an answer is one when all of the batch is committed
            for said in each.run.said if each.keeps and each.run else ():
                if said.how == "reply":
                    self._answered(store, said.receiver, said.what)

    def told(self, store: str, key: str, message: Any, answer: Any) -> Iterator[str]:
        """Yield where a client has heard another answer than what was committed under its key."""
        known = self._known.get((store, key))
        if known is None or known.request is not None or Content.of(message) != known.asked:
            return
        if encode(answer) != known.answer:
            yield f"{store}: under {key!r} was told {answer!r}, and {known.answer!r} was committed"

    # --- Inside ------------------------------------------------------------------------------

    def _under_key(self, store: str, key: str, each: Handled, older_us: int) -> Iterator[str]:
        known = self._known.get((store, key))
        what = f"{store}: {type(each.envelope.message).__name__}"
        if each.run is not None:
            if not _is_corrigible(each.outcome):
                self._note((store, key), each, older_us)
        elif known is None:
            if (store, key) not in self._past:
                yield f"{what} was answered under the key {key!r}, which nothing had used"
        elif each.at_s - known.at_s + (older_us - known.older_us) / 1e6 < self.kept_s:
            yield from self._again(what, key, each, known)

    def _note(self, place: tuple[str, str], each: Handled, older_us: int) -> None:
        known = self._known[place] = _Known(
            Content.of(each.envelope.message), each, older_us, self.version
        )
        if known.request is not None:
            self._open[place[0], known.request] = place

    def _again(self, what: str, key: str, each: Handled, known: _Known) -> Iterator[str]:
        if not self._is_same(known, each.envelope.message):
            if not _is_corrigible(each.outcome):
                yield f"{what} was answered under the key {key!r} of another request"
        elif isinstance(each.outcome, Later):
            if known.request != each.outcome.request:
                yield f"{what} waits under the key {key!r} for what was answered"
        elif known.request is not None or not self._is_answer(known, each.outcome):
            yield f"{what} was answered otherwise when it came again under {key!r}"

    def _is_same(self, known: _Known, message: Any) -> bool:
        """Whether it is what was asked; another version may know of a field less, or more."""
        asked = Content.of(message)
        if asked == known.asked or known.version == self.version:
            return asked == known.asked
        return known.asked.is_told_by(message) or (
            asked.type == known.asked.type and holds(known.asked.json, asked.json)
        )

    def _is_answer(self, known: _Known, outcome: Any) -> bool:
        """Whether it says what it said: another version may know of a field more, or read none."""
        said = encode(outcome)
        if said == known.answer or known.version == self.version:
            return said == known.answer
        unread = isinstance(outcome, Refusal) and outcome.kind == "conflict"
        return unread or holds(said, known.answer) or holds(known.answer, said)

    def _answered(self, store: str, request: str, answer: Content) -> None:
        place = self._open.pop((store, request), None)
        if place is not None:
            known = self._known[place]
            known.request, known.answer = None, answer.json


class DeferredOracle:
    """An answer that was put off is told to all who wait, as it is, soon after its commit."""

    def __init__(self, now_s: Callable[[], float], found: list[str], pauses: Standstills) -> None:
        """What is wrong goes to `found`, when who waits gives up."""
        self._now_s = now_s
        self._pauses = pauses
        self._found = found
        # By (service, request): when its answer was committed, and what it is.
        self._answers: dict[tuple[str, str], tuple[float, Content]] = {}
        # When each service came up.
        self._up_s: dict[str, float] = {}
        # By store: how long a commit may take to be heard of, and until when.
        self._slow: dict[str, list[tuple[float, float]]] = defaultdict(list)

    def up(self, store: str, at_s: float | None) -> None:
        """Hear that a service is up since then; or (None) that it is not."""
        if at_s is None:
            self._up_s.pop(store, None)
        else:
            self._up_s[store] = at_s

    def slow(self, store: str, commit_s: float) -> None:
        """Hear that each of its commits takes so long from now on; 0: as long as any.

        What has begun before takes as long as it did then.
        """
        now_s = self._now_s()
        spans = [(each_s, min(until_s, now_s + each_s)) for each_s, until_s in self._slow[store]]
        if commit_s:
            spans.append((commit_s, inf))
        self._slow[store] = spans

    def slowest_s(self, store: str, since_s: float) -> float:
        """Return how long one of its commits may have taken since then, beyond the usual."""
        return max((each_s for each_s, end_s in self._slow[store] if since_s < end_s), default=0.0)

    def hear(self, store: str, batch: Sequence[Handled]) -> None:
        """Note who waits, and for whom an answer was committed."""
        for each in batch:
            inner = inner_of(each.envelope.reply_to)
            if isinstance(each.outcome, Later) and inner is not None:
                inner.add_done_callback(self._watch(store, each.outcome.request))
            for said in each.run.said if each.keeps and each.run else ():
                if said.how == "reply":
                    self._answers[store, said.receiver] = each.at_s, said.what

    def _watch(self, store: str, request: str) -> Callable[[asyncio.Future[object]], None]:
        def ended(future: asyncio.Future[object]) -> None:
            if future.cancelled():
                return
            answered_s, answer = self._answers.get((store, request), (None, None))
            value: Any = future.exception() or future.result()
            is_answer = not isinstance(value, BaseException | Accepted)
            if is_answer and (answer is None or Content.of(value).json != answer.json):
                self._found.append(
                    f"{store}: who waited for {request} was told {value!r}, and it is {answer}"
                )
            up_s = self._up_s.get(store)
            if answered_s is None or up_s is None:
                return
            now_s, since_s = self._now_s(), max(answered_s, up_s)
            excused_s = self.slowest_s(store, since_s) + self._pauses.within(since_s, now_s)
            late_s = now_s - since_s - excused_s
            if late_s > TOLD_S_MAX:
                self._found.append(
                    f"{store}: who waited for {request} was told {type(value).__name__} "
                    f"{late_s:.3f} s after its answer was there"
                )

        return ended


def _is_corrigible(outcome: Any) -> bool:
    return isinstance(outcome, Refusal) and outcome.kind == "invalid"
