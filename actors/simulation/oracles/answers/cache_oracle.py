"""An answer that was kept is what its query says; what is asked together is read once; and bounds.

What depends on the time may be as old as its author has it: no two snapshots of it are compared.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.errors import DeadlineExceeded
from actors.kernel.messages import type_name
from actors.store.transaction import ReadTransaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence

    from actors.config import CacheConfig
    from actors.kernel.envelope import Envelope

KEPT: Final = re.compile(r"^dress_rehearsal_cache_(entries|bytes)\{(.*)\} (\S+)$", re.MULTILINE)


class TimelessTransaction(ReadTransaction):
    """Notes that its handler has asked for the time."""

    __slots__ = ("_asked_us", "has_told_time")

    def __init__(self, connection: sqlite3.Connection, now_us: int) -> None:
        """As ReadTransaction."""
        self.has_told_time = False
        super().__init__(connection, now_us)

    @property
    def now_us(self) -> int:
        """The time, which was asked for."""
        self.has_told_time = True
        return self._asked_us

    @now_us.setter
    def now_us(self, now_us: int) -> None:
        self._asked_us = now_us


class CacheOracle:
    """Hears what is known without asking, and what is read."""

    def __init__(self) -> None:
        """It is found out which queries are cached."""
        self._cached: set[tuple[str, type]] = set()
        # Of each store's latest reading, what was too late: who has time left is asked for alone.
        self._late: dict[str, set[bytes]] = {}

    def known(
        self,
        store: str,
        message: Any,
        told: Any,
        ask: Callable[[TimelessTransaction], Any],
        tx: TimelessTransaction,
    ) -> Iterator[str]:
        """Hear what was told from memory; `ask` has the query say it again."""
        self._cached.add((store, type(message)))
        try:
            said = ask(tx)
        except Exception:  # noqa: BLE001 - it was wished, or its own incarnation will crash of it
            return
        if said != told and not tx.has_told_time:
            yield f"{store} has told {told!r} to {message!r} from memory, and it is {said!r}"

    def read(self, store: str, batch: Sequence[Envelope], outcomes: Sequence[Any]) -> Iterator[str]:
        """Hear what was asked of a store at once."""
        excused = self._late.pop(store, set())
        late: set[bytes] = set()
        often: Counter[tuple[str, bytes]] = Counter()
        for number, envelope in enumerate(batch):
            message = envelope.message
            if (store, type(message)) not in self._cached or envelope.attempt:
                continue
            question = msgspec.json.encode(message)
            often[type_name(type(message)), question] += question not in excused
            if number < len(outcomes) and isinstance(outcomes[number], DeadlineExceeded):
                late.add(question)
        self._late[store] = late
        for (name, _), count in often.items():
            if count > 1:
                yield f"{store} has read one {name} {count} times at once"

    def counted(self, scrape: str, config: CacheConfig) -> Iterator[str]:
        """Hear what `/metrics` has said of how much is kept."""
        limits = {"entries": config.entries_max, "bytes": config.kib_max * 1024}
        for what, labels, count in KEPT.findall(scrape):
            if float(count) > limits[what]:
                yield f"of {labels} {count} {what} are kept, and {limits[what]} may be"
