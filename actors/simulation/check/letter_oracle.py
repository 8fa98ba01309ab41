"""Guarantees 7 and 20: what was given up is kept until it is run again, once, or let go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.errors import DeadLettered
from actors.service.letters import DiscardLetter, LetTimersGo
from actors.simulation.check.handled import Content
from actors.store.messaging.origin import LetterOrigin
from actors.store.messaging.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from actors.simulation.check.handled import Handled


class LetterOracle:
    """Keeps the letters of each service as it saw them buried, the oldest first."""

    def __init__(self, letters_max: int) -> None:
        """So many are kept of a service; what its file held before the run is not counted."""
        self._letters_max = letters_max
        self._letters: dict[str, dict[str, Content]] = {}
        # What cannot be known from what was heard.
        self._unknown: set[str] = set()

    def hear(self, store: str, batch: Sequence[Handled]) -> None:
        """Note who was buried, and who is gone."""
        letters = self._letters.setdefault(store, {})
        for each in batch:
            message = each.envelope.message
            origin = each.envelope.origin
            if isinstance(each.outcome, DeadLettered):
                self._buried(store, each)
            elif each.stands and isinstance(origin, LetterOrigin):
                # Run now, or known by its key: its client has asked again meanwhile.
                letters.pop(origin.letter_id, None)
            elif each.keeps and each.run and isinstance(message, DiscardLetter):
                letters.pop(message.letter_id, None)
            elif isinstance(message, LetTimersGo) or getattr(message, "letter_id", None):
                self._unknown.add(store)

    def left(self, files: Mapping[str, Sequence[tuple[str, str, bytes]]]) -> Iterator[str]:
        """Yield what differs from the rows (id, type, JSON) that the files hold at rest."""
        for store, letters in self._letters.items():
            rows = {row[0]: Content(row[1], bytes(row[2])) for row in files.get(store, ())}
            if store in self._unknown or rows == letters:
                continue
            lost = [each.type for name, each in letters.items() if name not in rows]
            more = [each.type for name, each in rows.items() if name not in letters]
            if lost or more:
                yield f"{store} has lost the dead letters {lost}, and keeps {more} that are gone"

    # --- Inside ------------------------------------------------------------------------------

    def _buried(self, store: str, each: Handled) -> None:
        message, letter_id = each.envelope.message, each.envelope.letter_id
        if letter_id is None or isinstance(message, Unreadable):
            self._unknown.add(store)
        else:
            letters = self._letters[store]
            letters.setdefault(letter_id, Content.of(message))
            if len(letters) > self._letters_max:
                del letters[next(iter(letters))]
