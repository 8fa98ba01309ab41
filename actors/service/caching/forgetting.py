"""Forgets, on the writer's thread, what a commit may change, before anyone can see the commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from actors.kernel.messages import Event, type_name, type_of
from actors.store.participant import Participant, nothing

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Hashable, Iterator, Sequence

    from actors.kernel.envelope import Envelope
    from actors.resilience.cache import Cache
    from actors.service.caching.cache_options import CacheOptions
    from actors.store.messaging.output import Output
    from actors.store.messaging.output_buffer import OutputBuffer


class _Command(msgspec.Struct):
    """One that has begun: how many rows were changed, and events published, before it."""

    message: Any
    changes: int
    events: int
    is_undone: bool = False


class Forgetting(Participant):
    """Hears of every commit of one incarnation.

    Without `forget`, a query's answers go with every command that changes a row. With it, the
    events say which go: those that a listed one is about, which a command has published or is. Of
    one that is not listed its author says that it changes no answer. A command that changes rows
    and has no event says nothing, and all go.
    """

    def __init__(
        self,
        caches: Sequence[tuple[CacheOptions, Cache]],
        connection: sqlite3.Connection,
        buffer: OutputBuffer,
    ) -> None:
        """`connection` is the writer's, `buffer` has what its commands publish."""
        self._caches = caches
        self._connection = connection
        self._buffer = buffer
        self._events = {type_name(event): event for each, _ in caches for event in each.forget}
        self._begun: list[_Command] = []
        # Of which answers are being changed.
        self._changing: list[Cache] = []

    def begin(self, _: int) -> None:
        """Nothing is done yet."""
        self._begun = []

    def savepoint(self, envelope: Envelope) -> None:
        """Note how things stand before it."""
        changes, events = self._connection.total_changes, len(self._buffer.output.events)
        self._begun.append(_Command(envelope.message, changes, events))

    def savepoint_undone(self) -> None:
        """Its changes were counted, and are none."""
        self._begun[-1].is_undone = True

    def before_commit(self, output: Output) -> None:
        """Forget what may be true no more; until `committed` no reading of it is kept."""
        done = list(self._done(output))
        for options, cache in self._caches:
            groups = touched(options, done)
            if groups is None or groups:
                self._changing.append(cache)
                cache.changing(groups)

    def committed(self) -> None:
        """Whoever reads now sees it."""
        for cache in self._changing:
            cache.changed()
        self._changing = []

    rolled_back = committed
    opened = nothing

    # --- Inside ------------------------------------------------------------------------------

    def _done(self, output: Output) -> Iterator[tuple[bool, list[Any]]]:
        """Yield of each command whether it has changed rows, and its events."""
        # What participants write comes later, but for what a reply put off and a burial leave.
        changes, events = self._connection.total_changes, len(output.events)
        for each in reversed(self._begun):
            if not each.is_undone:
                own = [each.message] if isinstance(each.message, Event) else []
                own += [self._read(one) for one in output.events[each.events : events]]
                yield changes != each.changes, own
            changes, events = each.changes, each.events

    def _read(self, published: Any) -> Any:
        """Return the event, or None where no query asks for it."""
        event = self._events.get(published.message_type)
        return None if event is None else msgspec.json.decode(published.blob, type=event)


def touched(
    options: CacheOptions, done: Sequence[tuple[bool, Sequence[Any]]]
) -> set[Hashable] | None:
    """Return the groups of answers that these commands may have changed; None: all."""
    groups: set[Hashable] = set()
    for has_changed, events in done:
        listed = [each for each in events if each is not None and type_of(each) in options.forget]
        about = {None if options.by is None else getattr(each, options.by, None) for each in listed}
        if None in about or (has_changed and not (events and options.forget)):
            return None
        groups |= about
    return groups
