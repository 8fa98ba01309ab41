"""Guarantees 5, 13 and 14: what handlers send is applied once, whole, and in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.errors import DeadLettered, MessageExpired
from actors.kernel.messages import Expired, Refusal, Refused
from actors.simulation.oracles.handled import Content
from actors.simulation.oracles.shards.shard_oracle import ShardOracle
from actors.simulation.oracles.subscriptions import Subscriptions
from actors.store.messaging.origin import ChannelOrigin
from actors.store.messaging.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from actors.kernel.envelope import Envelope
    from actors.simulation.oracles.deadline_oracle import ExpiryOracle
    from actors.simulation.oracles.handled import Handled, Said
    from actors.simulation.oracles.past import Past


class ChannelOracle:
    """Numbers what handlers have sent whose command stands, and compares it with what arrives."""

    def __init__(
        self,
        past: Past,
        *,
        times: ExpiryOracle,
        kept_max: int,
        untaken_max: int,
        window_max: int,
    ) -> None:
        """A publisher keeps `kept_max` events; `times` is told under which number each is sent.

        With `untaken_max` messages that a receiver has not applied its outbox takes no more. No
        more than `window_max` are under way to it.
        """
        self._times = times
        self.subscriptions = Subscriptions(past, kept_max=kept_max)
        self.shards = ShardOracle()
        self.untaken_max = untaken_max
        self.window_max = window_max
        self._sent = dict(past.sent)
        # Of the channel (sender, receiver): what is not applied yet, by number.
        self._waiting: dict[tuple[str, str], dict[int, Content]] = {}
        self._applied = dict(past.applied)
        for channel, parcels in past.waiting.items():
            done = past.applied.get(channel, 0)
            self._waiting[channel] = {
                each.number: Content(each.type, each.json) for each in parcels if each.number > done
            }

    def given(self, store: str, batch: Sequence[Envelope]) -> Iterator[str]:
        """Yield what is further ahead than its sender may be of what it knows to be applied."""
        for each in batch:
            origin = each.origin
            if origin.__class__ is ChannelOrigin:
                applied = self._applied.get((origin.sender, store), 0)
                if origin.number > applied + self.window_max:
                    yield (
                        f"{store} was given {origin.sender}'s number {origin.number} when "
                        f"{applied} was the last one applied, and {self.window_max} may be "
                        f"under way"
                    )

    def hear(self, store: str, batch: Sequence[Handled]) -> Iterator[str]:
        """Note what was sent and what was applied; yield what is wrong with that."""
        full = {
            receiver
            for (sender, receiver), waiting in self._waiting.items()
            if sender == store and len(waiting) >= self.untaken_max
        }
        for each in batch:
            origin = each.envelope.origin
            if each.stands and origin.__class__ is ChannelOrigin:
                yield from self._arrived(store, each, origin)
                self._told_back(store, each, origin)
            if each.run is None:
                continue
            if each.keeps:
                for said in each.run.said:
                    if said.how == "publish":
                        self.subscriptions.published(store, said.what)
                    for receiver in self._receivers(said):
                        self._put(store, receiver, said.what, self._times.until(each, said))
                        if receiver in full:
                            yield (
                                f"{store} took {said.what.type} for {receiver}, which had left "
                                f"{self.untaken_max} untaken"
                            )
            elif isinstance(each.outcome, Refusal) and getattr(origin, "sender", None):
                told = Refused(command=each.envelope.message, refusal=each.outcome)
                self._put(store, origin.sender, Content.of(told))

    def opened(self, store: str) -> None:
        """Hear that an incarnation begins: who is new among its subscribers may be owed events."""
        for receiver, what in self.subscriptions.opened(store):
            self._put(store, receiver, what)

    def left(self) -> Iterator[str]:
        """Yield what was sent and not applied."""
        for (sender, receiver), waiting in self._waiting.items():
            if waiting:
                number, what = next(iter(waiting.items()))
                yield (
                    f"{sender} has sent {receiver} {len(waiting)} messages that it has not "
                    f"applied, the first number {number}, {what.type}"
                )

    @property
    def marks(self) -> tuple[Mapping[tuple[str, str], int], Mapping[tuple[str, str], int]]:
        """The numbers that were sent last and applied last, by (sender, receiver)."""
        return self._sent, self._applied

    # --- Inside ------------------------------------------------------------------------------

    def _receivers(self, said: Said) -> Sequence[str]:
        if said.how == "send":
            return (self.shards.place(said.receiver, said.what),)
        return self.subscriptions.receivers(said.what) if said.how == "publish" else ()

    def _told_back(self, store: str, each: Handled, origin: Any) -> None:
        """Whoever has sent what was too late hears of it, where it listens."""
        if isinstance(each.outcome, MessageExpired):
            told = Content.of(Expired(command=each.envelope.message))
            if origin.sender in self.subscriptions.receivers(told):
                self._put(store, origin.sender, told)

    def _put(self, sender: str, receiver: str, what: Content, by_us: int | None = None) -> None:
        number = self._sent[sender, receiver] = self._sent.get((sender, receiver), 0) + 1
        self._waiting.setdefault((sender, receiver), {})[number] = what
        self._times.given(((sender, receiver), number), what.type, by_us)

    def _arrived(self, store: str, each: Handled, origin: Any) -> Iterator[str]:
        channel, message = (origin.sender, store), each.envelope.message
        applied = self._applied.get(channel, 0)
        which = f"{origin.sender}'s number {origin.number}"
        if origin.number <= applied:
            if each.run is not None:
                yield f"{store} has applied {which} twice"
            return
        if each.run is None and not isinstance(each.outcome, DeadLettered | MessageExpired):
            yield f"{store} counts {which} as applied, and has not run it"
        if origin.number != applied + 1:
            yield f"{store} has applied {which} after number {applied}"
        what = self._waiting.get(channel, {}).pop(origin.number, None)
        if what is None:
            yield f"{store} has applied {which}, which nobody has sent, or not committed"
        elif not isinstance(message, Unreadable) and not what.is_told_by(message):
            came = Content.of(message)
            yield f"{store} has applied {which} as {came}, which was sent as {what}"
        self._applied[channel] = origin.number
