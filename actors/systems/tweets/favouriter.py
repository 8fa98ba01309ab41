"""The favouriter: likes the most positive tweets at X."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from actors.kernel.messages import Command, GaveUp, Refusal
from actors.service.service import command, effect, on
from actors.store.transaction import Transaction
from actors.systems.tweets import actions
from actors.systems.tweets.actions import WRITES_MAX, ActingService, Outcome, RetryAfter
from actors.systems.tweets.messages import RequeueAction, Requeued, TweetScored
from actors.systems.tweets.x.x_errors import XLater, XRefused

if TYPE_CHECKING:
    from actors.systems.tweets.actions import Writer
    from actors.systems.tweets.bounds import Bounds
    from actors.systems.tweets.failure_words import FailureWords


class LikeTweet(Command):
    """Like a tweet at X. Its id is the effect's key: X counts a second like as the first.

    `unclear` is how often X has said a no to it that may have been about this tweet alone.
    """

    external_id: str
    unclear: int = 0


class RecordLike(Command):
    external_id: str
    outcome: Outcome


class PostponeLike(Command):
    """X will not do it now, or was not asked for that reason; see RetryAfter."""

    external_id: str
    later: RetryAfter
    unclear: int = 0


class FavouriterService(ActingService):
    """Likes each tweet from X once that scores `like_min` or more.

    Not our own, and no retweet: X would count its like for the tweet that it repeats, which comes
    under its own id. Nothing that names a failure, however it sounds; and not more of one author
    than `bounds` let. A like that X refuses, for what it says of the tweet, is refused for good.
    """

    schema: ClassVar[Path] = Path(__file__).parent / "schema" / "favouriter"

    def __init__(
        self,
        writer: Writer | None,
        *,
        user_id: str | None,
        like_min: float,
        like_never: FailureWords,
        bounds: Bounds,
        retry_s: float,
    ) -> None:
        """`user_id` is who we are at X; without a `writer` likes are noted, and not made."""
        super().__init__(writer, user_id=user_id, bounds=bounds, retry_s=retry_s)
        self._like_min = like_min
        self._like_never = like_never

    @on(TweetScored)
    def scored(self, tx: Transaction, event: TweetScored) -> None:
        """Like it, or without leave to write only note that we would."""
        if event.x_id is None or not self._may_act(event):
            return
        if event.score is None or event.score < self._like_min:
            return
        reason = self._reason_not_to(tx, event)
        if reason is not None:
            actions.begin(tx, event, "withheld", detail=reason)
        elif actions.begin(tx, event, "dry_run" if self._writer is None else "pending"):
            self._bounds.note(tx, event)
            if self._writer is not None:
                tx.run(LikeTweet(external_id=event.x_id))

    def _reason_not_to(self, tx: Transaction, event: TweetScored) -> str | None:
        named = self._like_never.found_in(event.text)
        if named is not None:
            return f"it names a failure: {named} (tweets.like_never)"
        return self._bounds.reached(tx, event)

    @effect(running_max=WRITES_MAX)
    async def like(self, cmd: LikeTweet) -> RecordLike | PostponeLike:
        """Like it at X; a second time changes nothing there."""
        outcome = Outcome(status="done")
        try:
            if self._writer is None:  # the leave to write was taken away meanwhile
                outcome = Outcome(status="dry_run")
            else:
                await self._writer.like(cmd.external_id)
        except XRefused as refused:
            outcome = Outcome(status="refused", detail=refused.detail)
        except XLater as no:
            unclear = cmd.unclear + no.is_unclear
            later = actions.later(no)
            return PostponeLike(external_id=cmd.external_id, later=later, unclear=unclear)
        return RecordLike(external_id=cmd.external_id, outcome=outcome)

    @command
    def liked(self, tx: Transaction, cmd: RecordLike) -> None:
        """Note what became of it."""
        actions.end(tx, cmd.external_id, cmd.outcome)

    @command
    def postpone(self, tx: Transaction, cmd: PostponeLike) -> None:
        """Wait until X counts anew, or has the account act again."""
        if actions.fail(tx, cmd.external_id, cmd.later.reason):
            pause_s = actions.pause_s(tx, cmd.later, unclear=cmd.unclear, at_least_s=self._retry_s)
            tx.after(pause_s, LikeTweet(external_id=cmd.external_id, unclear=cmd.unclear))

    @on(GaveUp[LikeTweet])
    def like_later(self, tx: Transaction, event: GaveUp[LikeTweet]) -> None:
        """X does not answer now: there is no last attempt."""
        if actions.fail(tx, event.command.external_id, event.reason):
            tx.after(self._retry_s, event.command)

    @command
    def requeue(self, tx: Transaction, cmd: RequeueAction) -> Requeued | Refusal:
        """Try again what was refused."""
        outcome = actions.requeue(tx, cmd.external_id)
        if isinstance(outcome, Refusal):
            return outcome
        tx.run(LikeTweet(external_id=cmd.external_id))
        return Requeued(external_ids=(cmd.external_id,))
