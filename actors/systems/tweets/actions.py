"""What is done about tweets at X, once each: the table that likes and replies share in shape.

    pending -> done | refused | failed | dry_run
    pending -> failed -> done | refused | failed | dry_run
    withheld

`failed` is a pause: X has given no answer for all the attempts of an effect, or has had enough
requests for now, and is asked again later. A reply that was not confirmed in its time stays so.
`withheld` was never to be sent: we have chosen so, and `detail` says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Protocol

import msgspec

from actors.systems.tweets.messages import Action, ActionPage

if TYPE_CHECKING:
    import sqlite3

    from actors.store.transaction import ReadTransaction, Transaction
    from actors.systems.tweets.messages import ActionStatus, ListActions, TweetScored

# Of a tweet that was edited one version is acted on: the first that there was reason to.
BEGIN = (
    "INSERT INTO action (external_id, tweet_id, status, text, detail, begun_us)"
    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
END = (
    "UPDATE action SET status = ?, reply_id = ?, detail = ?"
    " WHERE external_id = ? AND status IN ('pending', 'failed')"
)
FAIL = (
    "UPDATE action SET status = 'failed', detail = ?"
    " WHERE external_id = ? AND status IN ('pending', 'failed')"
)
PAGE = "SELECT * FROM action WHERE seq > ? ORDER BY seq LIMIT ?"
PAGE_OF_STATUS = "SELECT * FROM action WHERE status = ? AND seq > ? ORDER BY seq LIMIT ?"

# X counts its longest window by the day: a later time is a mistake of X's, or a clock's.
PAUSE_S_MAX: Final = 86_400.0


class Writer(Protocol):
    """Acts at X as one account. XRefused is X's last word, XBusy an invitation to come later."""

    async def like(self, tweet_id: str) -> None:
        """Like the tweet; again changes nothing."""

    async def reply(self, text: str, *, in_reply_to: str) -> str:
        """Answer the tweet; returns the answer's id."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an action has ended, for good; see `Action` for the fields."""

    status: Literal["done", "refused", "failed", "dry_run"]
    reply_id: str | None = None
    detail: str | None = None


def begin(
    tx: Transaction,
    event: TweetScored,
    status: ActionStatus,
    text: str | None = None,
    *,
    detail: str | None = None,
) -> bool:
    """Note what is to be done about the tweet; returns whether that is new."""
    row = (event.x_id, event.tweet_id, status, text, detail, tx.now_us)
    return tx.execute(BEGIN, *row) == 1


def end(tx: Transaction, external_id: str, outcome: Outcome) -> None:
    """Note how it ended. What has ended stays as it is."""
    tx.execute(END, outcome.status, outcome.reply_id, outcome.detail, external_id)


def fail(tx: Transaction, external_id: str, reason: str) -> bool:
    """Note that it has failed so far; returns whether it is to be tried again."""
    return tx.execute(FAIL, reason, external_id) == 1


def pause_s(tx: Transaction, retry_at_us: int | None, *, at_least_s: float) -> float:
    """Return how long to wait for the time that X has named, if it has.

    And up to `at_least_s` more, by chance: all that were refused together would come together.
    """
    wait_s = at_least_s
    if retry_at_us is not None:
        wait_s = max(at_least_s, min((retry_at_us - tx.now_us) / 1_000_000, PAUSE_S_MAX))
    return wait_s + tx.rng.uniform(0.0, at_least_s)


def page_of(tx: ReadTransaction, question: ListActions) -> ActionPage:
    """List in order of making, those of one status if one is given."""
    if question.status is None:
        rows, after = tx.page(PAGE, question.after, limit=question.limit)
    else:
        rows, after = tx.page(PAGE_OF_STATUS, question.status, question.after, limit=question.limit)
    return ActionPage(items=[_action(row) for row in rows], next=after)


def _action(row: sqlite3.Row) -> Action:
    return Action(
        tweet_id=row["tweet_id"],
        external_id=row["external_id"],
        status=row["status"],
        text=row["text"],
        reply_id=row["reply_id"],
        detail=row["detail"],
    )
