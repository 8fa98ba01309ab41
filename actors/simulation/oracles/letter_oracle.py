"""Guarantees 7 and 20: what was given up is kept until it is run again, once, or let go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from actors.errors import DeadLettered
from actors.service.letters import DiscardLetter, LetTimersGo
from actors.simulation.oracles.handled import Content
from actors.store.messaging.origin import LetterOrigin
from actors.store.messaging.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from actors.kernel.envelope import Envelope
    from actors.simulation.oracles.handled import Handled


class LetGo(NamedTuple):
    """A message that its service gave up for ever: what would have come of it is missing."""

    service: str
    message: Any


class LetterOracle:
    """Keeps the letters of each service as it saw them buried, the oldest first."""

    def __init__(self, letters_max: int) -> None:
        """So many are kept of a service; what its file held before the run is not counted."""
        self._letters_max = letters_max
        self._letters: dict[str, dict[str, Any]] = {}
        # What was discarded, or went for a newer one, since the run began.
        self.let_go: list[LetGo] = []
        # What cannot be known from what was heard.
        self._unknown: set[str] = set()
        # By identity, what was buried and as what; it is kept, so that no other has that.
        self._known_as: dict[int, tuple[Envelope, str | None]] = {}

    @property
    def may_lack(self) -> bool:
        """Whether anything was let go, or may have been."""
        return bool(self.let_go or self._unknown)

    def hear(self, store: str, batch: Sequence[Handled]) -> Iterator[str]:
        """Note who was buried, and who is gone; yield whose one message is two letters."""
        letters = self._letters.setdefault(store, {})
        for each in batch:
            message = each.envelope.message
            origin = each.envelope.origin
            if isinstance(each.outcome, DeadLettered):
                yield from self._is_known(store, each.envelope)
                self._buried(store, each)
            elif isinstance(origin, LetterOrigin) and _is_settled(each):
                letters.pop(origin.letter_id, None)
            elif each.keeps and each.run and isinstance(message, DiscardLetter):
                self._gone(store, message.letter_id)
            elif isinstance(message, LetTimersGo) or getattr(message, "letter_id", None):
                self._unknown.add(store)

    def left(self, files: Mapping[str, Sequence[tuple[str, str, bytes]]]) -> Iterator[str]:
        """Yield what differs from the rows (id, type, JSON) that the files hold at rest."""
        for store, messages in self._letters.items():
            letters = {name: Content.of(each) for name, each in messages.items()}
            rows = {row[0]: Content(row[1], bytes(row[2])) for row in files.get(store, ())}
            if store in self._unknown or rows == letters:
                continue
            lost = [each.type for name, each in letters.items() if name not in rows]
            more = [each.type for name, each in rows.items() if name not in letters]
            if lost or more:
                yield f"{store} has lost the dead letters {lost}, and keeps {more} that are gone"

    # --- Inside ------------------------------------------------------------------------------

    def _is_known(self, store: str, envelope: Envelope) -> Iterator[str]:
        """It stays what it was: run again in vain, or buried again where nobody heard of it."""
        origin, letter_id = envelope.origin, envelope.letter_id
        known_as = self._known_as.setdefault(id(envelope), (envelope, letter_id))[1]
        if isinstance(origin, LetterOrigin):
            known_as = origin.letter_id
        if letter_id != known_as:
            name = type(envelope.message).__name__
            yield f"{store}: {name} is the dead letter {known_as}, and {letter_id} as well"

    def _buried(self, store: str, each: Handled) -> None:
        message, letter_id = each.envelope.message, each.envelope.letter_id
        if letter_id is None or isinstance(message, Unreadable):
            self._unknown.add(store)
        else:
            letters = self._letters[store]
            letters.setdefault(letter_id, message)
            if len(letters) > self._letters_max:
                self._gone(store, next(iter(letters)))

    def _gone(self, store: str, letter_id: str) -> None:
        message = self._letters[store].pop(letter_id, None)
        if message is not None:
            self.let_go.append(LetGo(store, message))


def _is_settled(each: Handled) -> bool:
    """Whether it has run again, or was answered under its key as another was that has run."""
    return each.stands and (each.run is not None or each.envelope.key is not None)
