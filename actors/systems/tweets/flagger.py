"""The flagger: keeps the PR team's queue of negative tweets.

open -> assigned -> resolved
open -> resolved
assigned -> open, where whose it was is taken away

Whoever is named has it: an open flag that is given to somebody is assigned.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from msgspec import UNSET

from actors.kernel.messages import Refusal
from actors.service.service import Service, command, on, query
from actors.store.transaction import ReadTransaction, Transaction
from actors.systems.tweets.messages import (
    ChangeFlag,
    Flag,
    FlagPage,
    FlagStatus,
    GetFlag,
    ListFlags,
    TweetScored,
)

if TYPE_CHECKING:
    import sqlite3

INSERT = (
    "INSERT INTO flag (id, tweet_id, author, text, score, status) VALUES (?, ?, ?, ?, ?, 'open')"
    " ON CONFLICT (tweet_id) DO NOTHING"
)
# What is flagged shows the tweet in its newest version, be it negative or not; that of which nobody
# knows how it sounds keeps the score it had.
EDIT = "UPDATE flag SET author = ?, text = ?, score = coalesce(?, score) WHERE tweet_id = ?"
BY_ID = "SELECT * FROM flag WHERE id = ?"
CHANGE = "UPDATE flag SET status = ?, assignee = ?, note = ? WHERE id = ?"
PAGE = "SELECT * FROM flag WHERE seq > ? ORDER BY seq LIMIT ?"
PAGE_OF_STATUS = "SELECT * FROM flag WHERE status = ? AND seq > ? ORDER BY seq LIMIT ?"

# A flag moves to the right only, and may leave one out; but an assigned one may be unassigned.
ORDER: Final[tuple[FlagStatus, ...]] = ("open", "assigned", "resolved")


class FlaggerService(Service):
    """Flags each negative tweet once, wherever it came from, and lets people work on it."""

    schema: ClassVar[Path] = Path(__file__).parent / "schema" / "flagger"

    @on(TweetScored)
    def scored(self, tx: Transaction, event: TweetScored) -> None:
        """Put a negative tweet into the queue; show there what it was edited to.

        One that is not negative any more stays where it is: whoever works on it decides.
        """
        if event.version_id is not None:
            tx.execute(EDIT, event.author, event.text, event.score, event.tweet_id)
        if event.sentiment == "negative":
            tx.execute(INSERT, tx.new_id(), event.tweet_id, event.author, event.text, event.score)

    @command
    def change(self, tx: Transaction, cmd: ChangeFlag) -> Flag | Refusal:
        """Change what is given. Where a part of it is refused, nothing is changed."""
        row = tx.one(BY_ID, cmd.flag_id)
        if row is None:
            return _unknown(cmd.flag_id)
        before: FlagStatus = row["status"]
        assignee = row["assignee"] if cmd.assignee is UNSET else cmd.assignee
        note = row["note"] if cmd.note is UNSET else cmd.note
        if before == "resolved" and assignee != row["assignee"]:
            return Refusal.conflict("the flag is resolved: it is nobody's any more")
        at_least = _at_least(before, cmd)
        status = at_least if cmd.status is UNSET else cmd.status
        if (before, status, at_least) == ("open", "open", "assigned"):
            detail = "status: whoever is named has the flag, and open is what nobody has"
            return Refusal.invalid(detail, field="status")
        if ORDER.index(status) < ORDER.index(at_least):
            return Refusal.conflict(f"the flag is {before} and does not become {status}")
        # Older files may hold flags that were assigned to nobody: of these, all else may change.
        if cmd.status == "assigned" and assignee is None:
            detail = "assignee: a flag is assigned to somebody; say to whom"
            return Refusal.invalid(detail, field="assignee")
        tx.execute(CHANGE, status, assignee, note, cmd.flag_id)
        changed = tx.one(BY_ID, cmd.flag_id)
        assert changed is not None
        return _flag(changed)

    @query
    def get(self, tx: ReadTransaction, question: GetFlag) -> Flag | Refusal:
        """Find one by id."""
        row = tx.one(BY_ID, question.flag_id)
        return _unknown(question.flag_id) if row is None else _flag(row)

    @query
    def list(self, tx: ReadTransaction, question: ListFlags) -> FlagPage:
        """List in order of their making, those of one status if one is given."""
        if question.status is None:
            rows, after = tx.page(PAGE, question.after, limit=question.limit)
        else:
            rows, after = tx.page(
                PAGE_OF_STATUS, question.status, question.after, limit=question.limit
            )
        return FlagPage(items=[_flag(row) for row in rows], next=after)


def _at_least(before: FlagStatus, cmd: ChangeFlag) -> FlagStatus:
    """Return how far the flag is once it is whose it is to be, whatever else becomes of it."""
    if cmd.assignee is UNSET or before == "resolved":
        return before
    return "open" if cmd.assignee is None else "assigned"


def _unknown(flag_id: str) -> Refusal:
    return Refusal.not_found(f"there is no flag {flag_id}")


def _flag(row: sqlite3.Row) -> Flag:
    return Flag(
        id=row["id"],
        status=row["status"],
        assignee=row["assignee"],
        note=row["note"],
        tweet_id=row["tweet_id"],
        author=row["author"],
        text=row["text"],
        score=row["score"],
    )
