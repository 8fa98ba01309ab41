"""What is done about tweets at X, once each: the table that likes and replies share in shape.

    pending -> done | refused | failed | dry_run
    pending -> failed -> done | refused | failed | dry_run
    refused | given up -> pending, by an operator
    withheld

`failed` is a pause: X has given no answer for all the attempts of an effect, or has had enough
requests for now, or will not have the account act, and is asked again later. A reply that was not
confirmed in its time stays so: it is given up. What was refused, or given up, an operator can have
tried again. `withheld` was never to be sent: we have chosen so, and `detail` says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal, Protocol

import msgspec

from actors.kernel.messages import Refusal
from actors.service.service import Service, command, query
from actors.store.transaction import ReadTransaction, Transaction
from actors.systems.tweets.messages import (
    Action,
    ActionPage,
    ListActions,
    RequeueAction,
    RequeueActions,
    Requeued,
)
from actors.systems.tweets.x.pauses import PAUSE_S_MAX

if TYPE_CHECKING:
    import sqlite3

    from actors.systems.tweets.bounds import Bounds
    from actors.systems.tweets.messages import ActionStatus, TweetScored
    from actors.systems.tweets.x.x_errors import XLater

# Likes at X at once, and replies: all count against one account, which more of them would not
# speed up; a burst waits here, where it is not refused.
WRITES_MAX: Final = 16
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
REQUEUE = (
    "UPDATE action SET status = 'pending', detail = NULL WHERE external_id = ?"
    " AND (status = 'refused' OR status = 'failed' AND detail = ?) RETURNING text"
)
STATUS = "SELECT status FROM action WHERE external_id = ?"
GIVEN_UP = (
    "SELECT external_id FROM action WHERE (status = 'refused' OR status = 'failed' AND detail = ?)"
    " AND (text IS NOT NULL OR NOT ?) ORDER BY seq LIMIT ?"
)
PAGE = "SELECT * FROM action WHERE seq > ? ORDER BY seq LIMIT ?"
PAGE_OF_STATUS = "SELECT * FROM action WHERE status = ? AND seq > ? ORDER BY seq LIMIT ?"

# How a reply ends that X has not confirmed: it is not tried again, for it may stand.
TOO_LATE: Final = "X has not confirmed it in time: whether it stands is unknown"
# A no that may be about one tweet alone comes again: that tweet is tried ever more seldom.
UNCLEAR_S_MAX: Final = 3_600.0


class Writer(Protocol):
    """Acts at X as one account. XRefused is X's last word, XLater an invitation to come later."""

    async def like(self, tweet_id: str) -> None:
        """Like the tweet; again changes nothing."""

    async def reply(self, text: str, *, in_reply_to: str) -> str:
        """Answer the tweet; returns the answer's id."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an action has ended, for good; see `Action` for the fields."""

    status: Literal["done", "refused", "failed", "dry_run"]
    reply_id: str | None = None
    detail: str | None = None


class RetryAfter(msgspec.Struct, frozen=True, kw_only=True):
    """Why X has not done it, and when to ask again; see `XLater`, whose words these are."""

    reason: str
    wait_s: float | None = None
    retry_at_us: int | None = None
    is_unclear: bool = False


def later(no: XLater) -> RetryAfter:
    """Return it as it is told to a transaction, which knows the time."""
    return RetryAfter(
        reason=no.detail,
        wait_s=no.wait_s,
        retry_at_us=no.retry_at_us,
        is_unclear=no.is_unclear,
    )


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


def pause_s(tx: Transaction, later: RetryAfter, *, unclear: int, at_least_s: float) -> float:
    """Return how long to wait: as long as X wants, or is left alone for other reasons.

    And up to `at_least_s` more, by chance: all that were refused together would come together.
    `unclear` counts what may have been about this tweet alone, this time included.
    """
    wait_s = 0.0
    if later.wait_s is not None:
        wait_s = later.wait_s
    elif later.retry_at_us is not None:
        wait_s = (later.retry_at_us - tx.now_us) / 1_000_000
    if later.is_unclear:
        wait_s = max(wait_s, min(at_least_s * 2.0 ** min(unclear, 63), UNCLEAR_S_MAX))
    return max(at_least_s, min(wait_s, PAUSE_S_MAX)) + tx.rng.uniform(0.0, at_least_s)


# --- Again, by an operator -----------------------------------------------------------------------


def requeue(tx: Transaction, external_id: str) -> Refusal | str | None:
    """Have it tried again that was refused or given up; returns the text of a reply."""
    row = tx.one(REQUEUE, external_id, TOO_LATE)
    if row is not None:
        text: str | None = row["text"]
        return text
    stands = tx.one(STATUS, external_id)
    if stands is None:
        return Refusal.not_found(f"nothing was to be done about tweet {external_id}")
    detail = f"it is {stands['status']}: only what was refused or given up can be tried again"
    return Refusal.conflict(detail)


# --- The services ------------------------------------------------------------------------------


class ActingService(Service):
    """What the favouriter and the responder share; what each does at X is its own."""

    # Whether what has no text cannot be done: nobody can be answered without a mention.
    needs_text: ClassVar[bool] = False

    def __init__(
        self, writer: Writer | None, *, user_id: str | None, bounds: Bounds, retry_s: float
    ) -> None:
        """`user_id` is who we are at X; without a `writer` all is noted, and nothing done there."""
        self._writer = writer
        self._user_id = user_id
        self._bounds = bounds
        self._retry_s = retry_s

    def _may_act(self, event: TweetScored) -> bool:
        """Whether it is from X, and neither a retweet nor our own."""
        if event.x is None or event.x_id is None:
            return False
        return event.x.kind != "retweet" and event.x.author_id != self._user_id

    def requeue(self, tx: Transaction, cmd: RequeueAction) -> Requeued | Refusal:
        """Try again what was refused, or was given up."""
        raise NotImplementedError

    @command
    def requeue_all(self, tx: Transaction, cmd: RequeueActions) -> Requeued:
        """Try again all that were refused or given up, the oldest first."""
        rows = tx.all(GIVEN_UP, TOO_LATE, self.needs_text, cmd.limit)
        found = tuple([row["external_id"] for row in rows])
        for external_id in found:
            self.requeue(tx, RequeueAction(external_id=external_id))
        return Requeued(external_ids=found)

    @query
    def list(self, tx: ReadTransaction, question: ListActions) -> ActionPage:
        """List what was done in order of its making, that of one status if one is given."""
        if question.status is None:
            rows, after = tx.page(PAGE, question.after, limit=question.limit)
        else:
            sql = PAGE_OF_STATUS
            rows, after = tx.page(sql, question.status, question.after, limit=question.limit)
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
