"""The responder: answers everybody who tweets about us, at X."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import msgspec

from actors.kernel.messages import Command, GaveUp, Refusal
from actors.service.service import command, effect, on
from actors.store.transaction import Transaction
from actors.systems.tweets import actions
from actors.systems.tweets.actions import (
    TOO_LATE,
    WRITES_MAX,
    ActingService,
    Outcome,
    RetryAfter,
)
from actors.systems.tweets.messages import RequeueAction, Requeued, TweetScored
from actors.systems.tweets.reply_text import is_handle
from actors.systems.tweets.x.x_errors import XLater, XRefused

if TYPE_CHECKING:
    from actors.systems.tweets.actions import Writer
    from actors.systems.tweets.bounds import Bounds
    from actors.systems.tweets.reply_text import ReplyText
    from actors.systems.tweets.tweets import Ask

DOUBT = "SELECT doubt_us FROM action WHERE external_id = ?"
SET_DOUBT = "UPDATE action SET doubt_us = ? WHERE external_id = ?"
A_REPLY = "it answers an answer of ours (tweets.replies_to_replies)"
NOBODY = "X does not say who wrote the tweet: there is nobody to mention"
# How X says that it has seen the text before.
DUPLICATE = "duplicate content"


class PostReply(Command):
    """Answer a tweet at X. The text is the effect's key: X refuses one that it has seen.

    `unclear` is how often X has said a no to it that may have been about this tweet alone.
    """

    external_id: str
    text: str
    unclear: int = 0


class RecordReply(Command):
    external_id: str
    outcome: Outcome


class PostponeReply(Command):
    """X will not do it now, or was not asked for that reason; see RetryAfter.

    `is_first` is whether no earlier attempt has been left without X's answer: then nothing stands.
    """

    external_id: str
    text: str
    later: RetryAfter
    unclear: int = 0
    is_first: bool = True


class BeginReply(Command):
    """The reply to that tweet is about to be posted: note from when on it may stand at X."""

    external_id: str


class ReplyBegun(msgspec.Struct, frozen=True, kw_only=True):
    """Whether there is time left for it, and no attempt before it whose answer is not known."""

    has_time: bool
    is_first: bool


class ResponderService(ActingService):
    """Answers each tweet from X once, but no retweet, and never itself.

    Nor what replies to an answer of ours or quotes one, unless it is to, and not more than `bounds`
    let: who answers by program, as we do, would be answered for ever. What is left unanswered for
    that is on record as withheld.

    An answer may be posted and X's word of it be lost. Posted again, X refuses it as a duplicate;
    and since no other answer has its text, the refusal proves that this one stands. But X forgets:
    an answer that is not confirmed in `reply_s_max` seconds is given up, and may stand or not. The
    time runs from the first attempt that X has not answered: where it has said no to each (429, or
    an account that may not write), nothing stands, and the answer can wait for ever.
    """

    schema: ClassVar[Path] = Path(__file__).parent / "schema" / "responder"
    needs_text: ClassVar[bool] = True

    def __init__(
        self,
        text: ReplyText,
        writer: Writer | None,
        ask: Ask,
        *,
        user_id: str | None,
        bounds: Bounds,
        replies_to_replies: bool,
        retry_s: float,
        reply_s_max: float,
    ) -> None:
        """`user_id` is who we are at X; without a `writer` answers are noted, and not posted.

        `ask(service, message)` is how its effect, which keeps no books, has an attempt noted.
        """
        super().__init__(writer, user_id=user_id, bounds=bounds, retry_s=retry_s)
        self._text = text
        self._ask_service = ask
        self._replies_to_replies = replies_to_replies
        self._reply_us_max = round(reply_s_max * 1_000_000)

    @on(TweetScored)
    def scored(self, tx: Transaction, event: TweetScored) -> None:
        """Answer it, or without leave to write only note what we would say."""
        if event.x_id is None or not self._may_act(event):
            return
        if not is_handle(event.author):
            self._leave_unanswered(tx, event, event.x_id)
            return
        reason = self._reason_not_to(tx, event)
        if reason is not None:
            actions.begin(tx, event, "withheld", detail=reason)
            return
        text = self._text.fill_in(author=event.author, tweet_id=event.x_id)
        if actions.begin(tx, event, "dry_run" if self._writer is None else "pending", text):
            self._bounds.note(tx, event)
            if self._writer is not None:
                tx.run(PostReply(external_id=event.x_id, text=text))

    def _reason_not_to(self, tx: Transaction, event: TweetScored) -> str | None:
        assert event.x is not None
        if self._user_id in event.x.answers_replies_of and not self._replies_to_replies:
            return A_REPLY
        return self._bounds.reached(tx, event)

    def _leave_unanswered(self, tx: Transaction, event: TweetScored, external_id: str) -> None:
        """Note that there is nobody to mention; without leave to write as all else is."""
        if self._writer is None:
            actions.begin(tx, event, "dry_run")
        elif actions.begin(tx, event, "pending"):
            actions.end(tx, external_id, Outcome(status="refused", detail=NOBODY))

    @effect(running_max=WRITES_MAX)
    async def post(self, cmd: PostReply) -> RecordReply | PostponeReply:
        """Post it at X."""
        begun = ReplyBegun(has_time=True, is_first=True)
        try:
            if self._writer is None:  # the leave to write was taken away meanwhile
                outcome = Outcome(status="dry_run")
            else:
                begin = BeginReply(external_id=cmd.external_id)
                begun = await self._ask_service("responder", begin)
                if begun.has_time:
                    reply_id = await self._writer.reply(cmd.text, in_reply_to=cmd.external_id)
                    outcome = Outcome(status="done", reply_id=reply_id)
                else:
                    outcome = Outcome(status="failed", detail=TOO_LATE)
        except XRefused as refused:
            outcome = _refused(refused.detail)
        except XLater as no:
            return PostponeReply(
                external_id=cmd.external_id,
                text=cmd.text,
                later=actions.later(no),
                unclear=cmd.unclear + no.is_unclear,
                is_first=begun.is_first,
            )
        return RecordReply(external_id=cmd.external_id, outcome=outcome)

    @command
    def begin(self, tx: Transaction, cmd: BeginReply) -> ReplyBegun:
        """Note that it may stand from now on; and whether X would still know its text again."""
        row = tx.one(DOUBT, cmd.external_id)
        if row is None:  # its books are lost: better no answer than a second one
            return ReplyBegun(has_time=False, is_first=False)
        if row["doubt_us"] is None:
            tx.execute(SET_DOUBT, tx.now_us, cmd.external_id)
            return ReplyBegun(has_time=True, is_first=True)
        has_time = tx.now_us - row["doubt_us"] < self._reply_us_max
        return ReplyBegun(has_time=has_time, is_first=False)

    @command
    def posted(self, tx: Transaction, cmd: RecordReply) -> None:
        """Note what became of it."""
        actions.end(tx, cmd.external_id, cmd.outcome)

    @command
    def postpone(self, tx: Transaction, cmd: PostponeReply) -> None:
        """Wait until X counts anew, or has the account act again."""
        if not actions.fail(tx, cmd.external_id, cmd.later.reason):
            return
        if cmd.is_first:  # X has answered the only attempt there was
            tx.execute(SET_DOUBT, None, cmd.external_id)
        pause_s = actions.pause_s(tx, cmd.later, unclear=cmd.unclear, at_least_s=self._retry_s)
        again = PostReply(external_id=cmd.external_id, text=cmd.text, unclear=cmd.unclear)
        tx.after(pause_s, again)

    @on(GaveUp[PostReply])
    def post_later(self, tx: Transaction, event: GaveUp[PostReply]) -> None:
        """X does not answer now: there is no last attempt."""
        if actions.fail(tx, event.command.external_id, event.reason):
            tx.after(self._retry_s, event.command)

    @command
    def requeue(self, tx: Transaction, cmd: RequeueAction) -> Requeued | Refusal:
        """Try again what was refused, or was given up; one that stands may then stand twice."""
        text = actions.requeue(tx, cmd.external_id)
        if isinstance(text, Refusal):
            return text
        if text is None:
            return Refusal.conflict(NOBODY)
        tx.execute(SET_DOUBT, None, cmd.external_id)
        tx.run(PostReply(external_id=cmd.external_id, text=text))
        return Requeued(external_ids=(cmd.external_id,))


def _refused(detail: str) -> Outcome:
    if DUPLICATE in detail.lower():  # which id X gave it, nobody has told us
        return Outcome(status="done", detail="posted by an attempt whose answer was lost")
    return Outcome(status="refused", detail=detail)
