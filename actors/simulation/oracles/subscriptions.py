"""Guarantee 13: who subscribes hears what is published from then on, or what is kept as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from actors.simulation.oracles.handled import Content
    from actors.simulation.oracles.past import Past


class Subscriber(NamedTuple):
    """`service` listens to an event that is stored under one of `names`, the present one first.

    Where it is new, it hears of what is published from then on, unless it `hears_all_kept`.
    """

    service: str
    names: tuple[str, ...]
    hears_all_kept: bool
    # Whether an event is for this one; of a service's shards, one hears it.
    hears: Callable[[Content], bool] = lambda _: True


class Subscriptions:
    """Knows what each publisher has kept, and up to where each subscriber has been sent it."""

    def __init__(self, past: Past, *, kept_max: int) -> None:
        """A publisher keeps the last `kept_max` events for who is to come."""
        self._kept_max = kept_max
        self._subscribers: Sequence[Subscriber] = ()
        self._kept = {name: list(events) for name, events in past.events.items()}
        self._last = {name: max(events)[0] for name, events in past.events.items() if events}
        # Of (publisher, subscriber, name): the event after which it has heard of none, or None.
        self._left: dict[tuple[str, str, str], int | None] = dict(past.subscriptions)
        # For whose subscribers each publisher was opened last.
        self._served: dict[str, Sequence[Subscriber]] = {}

    def declare(self, subscribers: Sequence[Subscriber]) -> bool:
        """From now on these are all there are; return whether they were others before."""
        are_others = subscribers is not self._subscribers
        self._subscribers = subscribers
        return are_others

    def receivers(self, what: Content) -> list[str]:
        """Return who is sent what is published so."""
        return [
            each.service
            for each in self._subscribers
            if each.names[0] == what.type and each.hears(what)
        ]

    def kept(self, publisher: str) -> Sequence[tuple[int, Content]]:
        """Return what a publisher keeps for who is to come, by number."""
        return self._kept.get(publisher, ())

    def published(self, publisher: str, what: Content) -> None:
        """Keep an event."""
        number = self._last[publisher] = self._last.get(publisher, 0) + 1
        kept = self._kept.setdefault(publisher, [])
        kept.append((number, what))
        del kept[: -self._kept_max]

    def opened(self, publisher: str) -> Iterator[tuple[str, Content]]:
        """Yield who is sent what, now that the publisher is up, of what was kept."""
        if self._served.get(publisher) is self._subscribers:
            return
        self._served[publisher] = self._subscribers
        last, left = self._last.get(publisher, 0), self._left
        wanted = {
            (publisher, each.service, name) for each in self._subscribers for name in each.names
        }
        for row, until in left.items():
            if row[0] == publisher and until is None and row not in wanted:
                left[row] = last
        owed = []
        for each in self._subscribers:
            after = _after(left, publisher, each, last)
            owed += [
                (number, each.service, what)
                for number, what in self._kept.get(publisher, ())
                if number > after and what.type in each.names and each.hears(what)
            ]
        left.update(dict.fromkeys(wanted))
        for _, service, what in sorted(owed, key=lambda one: one[:2]):
            yield service, what


def _after(
    left: Mapping[tuple[str, str, str], int | None], publisher: str, each: Subscriber, last: int
) -> int:
    """Return up to which event the subscriber has been sent all, or wants none."""
    rows = [(publisher, each.service, name) for name in each.names]
    known = [left[row] for row in rows if row in left]
    if None in known:  # it is one already
        return last
    until = [number for number in known if number is not None]
    return max(until, default=0 if each.hears_all_kept else last)
