"""How much is done to one author, in one conversation, and in all: who answers us is no loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from actors.store.transaction import Transaction
    from actors.systems.tweets.messages import TweetScored

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US
# Each time more than are added.
PRUNE_ROWS_MAX: Final = 16

NOTE = "INSERT INTO acted (external_id, author_id, conversation_id, at_us) VALUES (?, ?, ?, ?)"
# Two statements, and not one with OR: each walks an index.
PRUNES = (
    "DELETE FROM acted WHERE seq IN (SELECT seq FROM acted WHERE at_us <= ? LIMIT ?)",
    "DELETE FROM acted WHERE seq IN (SELECT seq FROM acted WHERE at_us > ? LIMIT ?)",
)
# No further than to the bound.
OF_AUTHOR = (
    "SELECT count(*) AS n FROM (SELECT 1 FROM acted"
    " WHERE author_id = ? AND at_us > ? AND at_us <= ? LIMIT ?)"
)
OF_CONVERSATION = (
    "SELECT count(*) AS n FROM (SELECT 1 FROM acted"
    " WHERE conversation_id = ? AND at_us > ? AND at_us <= ? LIMIT ?)"
)
OF_ALL = "SELECT count(*) AS n FROM (SELECT 1 FROM acted WHERE at_us > ? AND at_us <= ? LIMIT ?)"


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """At most so many; None for no bound. `what` is what is counted, for people.

    They are counted in the service's own table `acted`, by the transaction's clock. One that was
    set back leaves rows from its future: they count as those do that are as far in the past, and
    what is a day or more away, before or behind, is pruned.
    """

    what: str
    author_hour_max: int
    hour_max: int | None = None
    conversation_day_max: int | None = None

    def reached(self, tx: Transaction, event: TweetScored) -> str | None:
        """Return which bound is reached for what is about this tweet, in words."""
        assert event.x is not None
        conversation_id = event.x.conversation_id
        for sql, name, key, window_us, most in (
            (OF_AUTHOR, "this author in an hour", event.x.author_id, HOUR_US, self.author_hour_max),
            (
                OF_CONVERSATION,
                "this conversation in a day",
                conversation_id,
                DAY_US,
                None if conversation_id is None else self.conversation_day_max,
            ),
            (OF_ALL, "everybody in an hour", None, HOUR_US, self.hour_max),
        ):
            if most is None:
                continue
            keys = () if key is None else (key,)
            row = tx.one(sql, *keys, tx.now_us - window_us, tx.now_us + window_us, most)
            assert row is not None, "a count is a row"
            if row["n"] >= most:
                return f"the bound of {most} {self.what} to {name} is reached"
        return None

    def note(self, tx: Transaction, event: TweetScored) -> None:
        """Count it, and forget what counts no more."""
        assert event.x is not None
        tx.execute(PRUNES[0], tx.now_us - DAY_US, PRUNE_ROWS_MAX)
        tx.execute(PRUNES[1], tx.now_us + DAY_US, PRUNE_ROWS_MAX)
        tx.execute(NOTE, event.x_id, event.x.author_id, event.x.conversation_id, tx.now_us)
