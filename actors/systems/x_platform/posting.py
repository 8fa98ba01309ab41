"""A tweet as it is made: refused where X would, else stored; the stream's if it matches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from actors.kernel.messages import Refusal
from actors.systems.x_platform import snowflake
from actors.systems.x_platform.entities import mentions
from actors.systems.x_platform.messages import Deleted, Reference, ReplySettings, XTweet, XUser
from actors.systems.x_platform.platform_state import next_id
from actors.systems.x_platform.rules.subject import NOBODY, Subject, who
from actors.systems.x_platform.x_tweet_rows import (
    DELETE,
    Found,
    find_tweet,
    find_tweets,
    has_retweeted,
    has_tweeted,
    insert_tweet,
)

if TYPE_CHECKING:
    from actors.store.transaction import ReadTransaction, Transaction
    from actors.systems.x_platform.messages import DeleteTweet

DAY_US: Final = 86_400_000_000
# X, "Edit Posts".
EDITABLE_US: Final = 30 * 60 * 1_000_000
EDITS_MAX: Final = 5

# X's own sentences.
DUPLICATE = "You are not allowed to create a Tweet with duplicate content."
RETWEETED = "You cannot retweet a Tweet that you have already retweeted."
NO_REPLY = "You attempted to reply to a Tweet that is deleted or not visible to you."
NOT_ENGAGED = (
    "Reply to this conversation is not allowed because you have not been mentioned or otherwise"
    " engaged by the author of the post you are replying to."
)
LOCKED = "Your account is suspended and is not permitted to access this feature."
NO_DELETE = "You are not authorized to delete this Tweet."
NO_QUOTE = "You attempted to quote a Tweet that is deleted or not visible to you."
NO_EDIT = "You are not allowed to edit this Tweet."
NO_RETWEET = "You attempted to retweet a Tweet that is deleted or not visible to you."


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A tweet to be; a retweet has no text of its own. `edits` is the version before it."""

    author: XUser
    text: str
    lang: str
    replied_to: Found | None = None
    retweeted: Found | None = None
    quoted: Found | None = None
    edits: XTweet | None = None
    reply_settings: ReplySettings = "everyone"


def find_original(tx: ReadTransaction, tweet_id: str) -> Found | None:
    """Find a tweet; of a retweet, what it repeats, which is what X's answers go to."""
    found = find_tweet(tx, tweet_id)
    for reference in () if found is None else found.tweet.references:
        if reference.type == "retweeted":
            return find_tweet(tx, reference.id)
    return found


def edit(tx: ReadTransaction, tweet_id: str, draft: Draft) -> Draft | Refusal:
    """Return the draft as another version of the tweet; a refusal where X has none of it.

    That is somebody else's, a retweet, a reply to others, what is half an hour old, and what was
    edited five times. What it refers to stays.
    """
    before = find_tweets(tx, [tweet_id]).get(tweet_id)
    if before is None or before.author_id != draft.author.id:
        return Refusal.conflict(NO_EDIT)
    refers = {each.type: each.id for each in before.references}
    first_id = before.history[0] if before.history else before.id
    if (
        "retweeted" in refers
        or before.in_reply_to_user_id not in {None, before.author_id}
        or tx.now_us - snowflake.time_us(int(first_id)) > EDITABLE_US
        or len(before.history) > EDITS_MAX
    ):
        return Refusal.conflict(NO_EDIT)
    return msgspec.structs.replace(
        draft,
        edits=before,
        replied_to=find_tweet(tx, refers["replied_to"]) if "replied_to" in refers else None,
        quoted=find_tweet(tx, refers["quoted"]) if "quoted" in refers else None,
    )


def refuse(tx: Transaction, draft: Draft) -> Refusal | None:
    """Return why X would not have it."""
    if draft.retweeted is not None:
        if has_retweeted(tx, draft.author.id, draft.retweeted.tweet.id):
            return Refusal.conflict(RETWEETED)
    elif has_tweeted(tx, draft.author.id, draft.text, since_us=tx.now_us - DAY_US):
        return Refusal.conflict(DUPLICATE)
    replied_to = None if draft.replied_to is None else draft.replied_to.tweet
    if replied_to is not None and not _may_reply(draft.author, replied_to):
        return Refusal.conflict(NOT_ENGAGED)
    return None


def _may_reply(author: XUser, tweet: XTweet) -> bool:
    """Whether the tweet's author lets them; nobody follows here, is verified or has subscribed."""
    is_mentioned = author.username.lower() in {each.lower() for each in mentions(tweet.text)}
    return tweet.reply_settings == "everyone" or tweet.author_id == author.id or is_mentioned


def delete(tx: Transaction, cmd: DeleteTweet) -> Deleted | Refusal:
    """Delete it, where it is the user's own."""
    found = find_tweet(tx, cmd.tweet_id)
    if found is None:
        return Refusal.not_found(f"Could not find tweet with id: [{cmd.tweet_id}].")
    if found.tweet.author_id != cmd.user_id:
        return Refusal.conflict(NO_DELETE)
    tx.execute(DELETE, tx.now_us, int(cmd.tweet_id))
    return Deleted(deleted=True)


def store(tx: Transaction, draft: Draft) -> tuple[XTweet, int]:
    """Store the tweet under a new id; returns it, and the version of the rules."""
    number, version = next_id(tx)
    tweet_id = str(number)
    text, lang, conversation = draft.text, draft.lang, tweet_id
    references = []
    history: tuple[str, ...] = ()
    if draft.edits is not None:
        history = (*(draft.edits.history or (draft.edits.id,)), tweet_id)
        conversation = draft.edits.conversation_id
    if draft.replied_to is not None:
        references.append(Reference(type="replied_to", id=draft.replied_to.tweet.id))
        conversation = draft.replied_to.tweet.conversation_id
    if draft.retweeted is not None:
        references.append(Reference(type="retweeted", id=draft.retweeted.tweet.id))
        text = f"RT @{draft.retweeted.username}: {draft.retweeted.tweet.text}"
        lang = draft.retweeted.tweet.lang
    if draft.quoted is not None:
        references.append(Reference(type="quoted", id=draft.quoted.tweet.id))
    tweet = XTweet(
        id=tweet_id,
        text=text,
        author_id=draft.author.id,
        created_at_us=snowflake.time_us(number),
        lang=lang,
        conversation_id=conversation,
        in_reply_to_user_id=draft.replied_to.tweet.author_id if draft.replied_to else None,
        references=tuple(references),
        history=history,
        reply_settings=draft.reply_settings,
    )
    insert_tweet(tx, tweet)
    return tweet, version


def subject_of(draft: Draft, tweet: XTweet) -> Subject:
    """Return what the rules look at."""
    return Subject(
        tweet,
        author=who(draft.author.id, draft.author.username),
        reply_to=_who(draft.replied_to),
        retweets_of=_who(draft.retweeted),
        quoted_text=None if draft.quoted is None else draft.quoted.tweet.text,
    )


def _who(found: Found | None) -> frozenset[str]:
    return NOBODY if found is None else who(found.tweet.author_id, found.username)
