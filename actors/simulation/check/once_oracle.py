"""Guarantees 3, 4 and 7: no reply before its commit, one effect a request, an end of poison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from actors.errors import Busy, DeadLettered, StoreError
from actors.kernel.future import AsyncioFuture
from actors.kernel.messages import Refusal
from actors.store.messaging.origin import ChannelOrigin, LetterOrigin, TimerOrigin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actors.kernel.envelope import Envelope
    from actors.simulation.check.handled import Handled


class _Done(NamedTuple):
    """When a request took effect, by the monotonic clock, and how far the other had been set."""

    at_s: float
    forward_us: int


class OnceOracle:
    """A request that has taken effect does not run again, by its key or as the same envelope."""

    def __init__(self, keys_kept_s: float) -> None:
        """A client's key is remembered for `keys_kept_s` at least."""
        self.kept_s = keys_kept_s
        self._keys: dict[tuple[str, str], _Done] = {}
        # Envelopes by identity; they are kept, so that no other gets the same.
        self._envelopes: dict[int, Envelope] = {}
        self._letters: set[tuple[str, str]] = set()

    def hear(self, store: str, batch: Sequence[Handled], *, forward_us: int) -> Iterator[str]:
        """Note what took effect; yield what did before. `forward_us`: the wall clock's steps."""
        for each in batch:
            envelope = each.envelope
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
            if envelope.key is not None:
                yield from self._under_key(store, each, name, forward_us)

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

    def _under_key(self, store: str, each: Handled, name: str, forward_us: int) -> Iterator[str]:
        key = (store, each.envelope.key or "")
        done = self._keys.get(key)
        if done is not None:
            age_s = each.at_s - done.at_s + (forward_us - done.forward_us) / 1e6
            if age_s < self.kept_s:
                yield f"{store}: {name} has run again under the key {key[1]!r}"
        self._keys[key] = _Done(each.at_s, forward_us)


class PoisonOracle:
    """What crashes its handler runs `attempts_max` times, and is a dead letter then.

    Where somebody else's end came between, what is sent anew may have as many attempts again.
    """

    def __init__(self, attempts_max: int) -> None:
        """Nothing has crashed yet."""
        self._attempts_max = attempts_max
        # How often a message has crashed, at how many other ends; the envelope is kept.
        self._crashed: dict[Any, tuple[int, int, Envelope]] = {}
        self.ends = 0

    def hear(
        self,
        store: str,
        batch: Sequence[Handled],
        crash: BaseException | None,
        culprit: Envelope | None,
    ) -> Iterator[str]:
        """Count a crash of a message, and look at what was buried."""
        for each in batch:
            if isinstance(each.outcome, DeadLettered):
                yield from self._buried(store, each)
            elif each.stands:
                self._crashed.pop(_place(store, each.envelope), None)
        if crash is None or culprit is None or isinstance(crash, StoreError | Busy):
            return
        place = _place(store, culprit)
        count, ends, _ = self._crashed.get(place, (0, self.ends, culprit))
        self._crashed[place] = (count + 1, ends, culprit)
        if count >= self._attempts_max and ends == self.ends:
            name = type(culprit.message).__name__
            yield f"{store}: {name} has crashed {count + 1} times and is not given up"

    def _buried(self, store: str, each: Handled) -> Iterator[str]:
        count, ends, _ = self._crashed.pop(_place(store, each.envelope), (0, self.ends, None))
        name = type(each.envelope.message).__name__
        if count == 0:  # an effect's last attempt, or what nobody handles
            return
        if count < self._attempts_max or (count > self._attempts_max and ends == self.ends):
            yield (
                f"{store}: {name} became a dead letter after {count} crashes, "
                f"of {self._attempts_max}"
            )


def early_replies(store: str, batch: Sequence[Handled]) -> Iterator[str]:
    """Yield the requests that are answered already: their commit has only just returned."""
    for each in batch:
        reply_to = each.envelope.reply_to
        if each.run is not None and each.stands and isinstance(reply_to, AsyncioFuture):
            inner = reply_to._future  # noqa: SLF001 - to ask it for its error would take note of that
            if inner.done() and not inner.cancelled() and inner._exception is None:  # noqa: SLF001
                name = type(each.envelope.message).__name__
                yield f"{store}: {name} was answered before its commit was heard of"


def _place(store: str, envelope: Envelope) -> Any:
    origin = envelope.origin
    if isinstance(origin, TimerOrigin):
        return store, origin.seq
    if isinstance(origin, ChannelOrigin):
        return store, origin.sender, origin.number
    return store, id(envelope)
