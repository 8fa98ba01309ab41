"""The responder: answers everybody who tweets about us, at X."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from actors.kernel.messages import GaveUp
from actors.service.service import Service, command, effect, on, query
from actors.store.transaction import ReadTransaction, Transaction
from actors.systems.tweets import actions
from actors.systems.tweets.actions import Outcome
from actors.systems.tweets.messages import ActionPage, ListActions, TweetScored
from actors.systems.tweets.replies import PostponeReply, PostReply, RecordReply
from actors.systems.tweets.x_errors import XBusy, XRefused

if TYPE_CHECKING:
    from actors.systems.tweets.actions import Writer
    from actors.systems.tweets.reply_text import ReplyText

# How X says that it has seen the text before.
DUPLICATE = "duplicate content"


class ResponderService(Service):
    """Answers each tweet from X once, but no retweet, and never itself.

    An answer may be posted and X's word of it be lost. Posted again, X refuses it as a duplicate;
    and since no other answer has its text, the refusal proves that this one stands.
    """

    schema: ClassVar[Path] = Path(__file__).parent / "schema" / "responder"

    def __init__(
        self, text: ReplyText, writer: Writer | None, *, user_id: str | None, retry_s: float
    ) -> None:
        """`user_id` is who we are at X; without a `writer` answers are noted, and not posted."""
        self._text = text
        self._writer = writer
        self._user_id = user_id
        self._retry_s = retry_s

    @on(TweetScored)
    def scored(self, tx: Transaction, event: TweetScored) -> None:
        """Answer it, or without leave to write only note what we would say."""
        if event.x is None or event.external_id is None:
            return
        if event.x.kind == "retweet" or event.x.author_id == self._user_id:
            return
        text = self._text.fill_in(author=event.author, tweet_id=event.external_id)
        if self._writer is None:
            actions.begin(tx, event, "dry_run", text)
        elif actions.begin(tx, event, "pending", text):
            tx.send("responder", PostReply(external_id=event.external_id, text=text))

    @effect
    async def post(self, cmd: PostReply) -> RecordReply | PostponeReply:
        """Post it at X."""
        try:
            if self._writer is None:  # the leave to write was taken away meanwhile
                outcome = Outcome(status="dry_run")
            else:
                reply_id = await self._writer.reply(cmd.text, in_reply_to=cmd.external_id)
                outcome = Outcome(status="done", reply_id=reply_id)
        except XRefused as refused:
            outcome = _refused(refused.detail)
        except XBusy as busy:
            return PostponeReply(
                external_id=cmd.external_id,
                text=cmd.text,
                reason=busy.detail,
                retry_at_us=busy.retry_at_us,
            )
        return RecordReply(external_id=cmd.external_id, outcome=outcome)

    @command
    def posted(self, tx: Transaction, cmd: RecordReply) -> None:
        """Note what became of it."""
        actions.end(tx, cmd.external_id, cmd.outcome)

    @command
    def postpone(self, tx: Transaction, cmd: PostponeReply) -> None:
        """Wait until X counts anew."""
        if actions.fail(tx, cmd.external_id, cmd.reason):
            pause_s = actions.pause_s(tx, cmd.retry_at_us, at_least_s=self._retry_s)
            tx.after(pause_s, PostReply(external_id=cmd.external_id, text=cmd.text))

    @on(GaveUp[PostReply])
    def post_later(self, tx: Transaction, event: GaveUp[PostReply]) -> None:
        """X does not answer now: there is no last attempt."""
        if actions.fail(tx, event.command.external_id, event.reason):
            tx.after(self._retry_s, event.command)

    @query
    def list(self, tx: ReadTransaction, question: ListActions) -> ActionPage:
        """List the answers in order of their making, those of one status if one is given."""
        return actions.page_of(tx, question)


def _refused(detail: str) -> Outcome:
    if DUPLICATE in detail.lower():  # which id X gave it, nobody has told us
        return Outcome(status="done", detail="posted by an attempt whose answer was lost")
    return Outcome(status="refused", detail=detail)
