"""The embedded authors: who tweets next, about what, in which mood, and in answer to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.systems.x_platform.authors.people import PEOPLE
from actors.systems.x_platform.authors.phrases import (
    FILLERS,
    FOREIGN,
    MOOD_WEIGHTS,
    MOODS,
    SUBJECTS,
)
from actors.systems.x_platform.entities import hashtag_body
from actors.systems.x_platform.messages import ACCOUNT_ID
from actors.systems.x_platform.posting import DAY_US, Draft
from actors.systems.x_platform.x_tweet_rows import Found, has_retweeted, has_tweeted, tweet_of
from actors.systems.x_platform.x_user_rows import ensure_user

if TYPE_CHECKING:
    from actors.kernel.rng import Rng
    from actors.store.transaction import Transaction
    from actors.systems.x_platform.messages import XUser

# Of all tweets; the rest stand for themselves.
REPLY_SHARE: Final = 0.15
RETWEET_SHARE: Final = 0.12
QUOTE_SHARE: Final = 0.08
# Of those with words of their own.
FOREIGN_SHARE: Final = 0.12
# How far back an author looks for something to answer, in tweets.
RECENT_TWEETS: Final = 40
# Another text is tried so often before one is told apart by a number.
TEXT_TRIES: Final = 5

RECENT = (
    "SELECT tweet.*, username FROM tweet JOIN x_user ON x_user.id = author_id"
    " WHERE retweeted IS NULL AND author_id NOT IN (?, ?) ORDER BY tweet.id DESC LIMIT ?"
)


class Author:
    """Writes drafts, by chance from the transaction: no text twice by one user within a day.

    Answers stay with their subject: a tweet about a keyword answers one about a keyword, so that
    `keyword_share` holds for what rules match, too.
    """

    def __init__(self, keywords: tuple[str, ...], *, keyword_share: float) -> None:
        """`keyword_share` of the drafts are about one of the `keywords`."""
        self._keywords = keywords
        self._folded = tuple([keyword.casefold() for keyword in keywords])
        self._keyword_share = keyword_share if keywords else 0.0
        # Dealt out evenly and not drawn: who has just booted need not wait for luck.
        self._share_owed = 0.5

    def draft(self, tx: Transaction) -> Draft:
        """Return what somebody tweets next."""
        rng = tx.rng
        author = ensure_user(tx, *rng.choice(PEOPLE))
        self._share_owed += self._keyword_share
        about_keyword = self._share_owed >= 1.0
        self._share_owed -= about_keyword
        drawn = rng.random()
        if drawn < REPLY_SHARE + RETWEET_SHARE + QUOTE_SHARE:
            target = self._target(tx, author, about_keyword=about_keyword)
            if target is not None:
                return self._answer(tx, author, target, drawn, about_keyword=about_keyword)
        return self._original(tx, author, about_keyword=about_keyword)

    def _original(self, tx: Transaction, author: XUser, *, about_keyword: bool) -> Draft:
        text, lang = self._text(tx, author, about_keyword=about_keyword)
        return Draft(author=author, text=text, lang=lang)

    def _answer(
        self, tx: Transaction, author: XUser, target: Found, drawn: float, *, about_keyword: bool
    ) -> Draft:
        if drawn < RETWEET_SHARE:
            if has_retweeted(tx, author.id, target.tweet.id):
                return self._original(tx, author, about_keyword=about_keyword)
            return Draft(author=author, text="", lang="", retweeted=target)
        if drawn < RETWEET_SHARE + REPLY_SHARE:
            prefix = f"@{target.username} "
            text, lang = self._text(tx, author, about_keyword=about_keyword, prefix=prefix)
            return Draft(author=author, text=text, lang=lang, replied_to=target)
        text, lang = self._text(tx, author, about_keyword=about_keyword)
        return Draft(author=author, text=text, lang=lang, quoted=target)

    def _target(self, tx: Transaction, author: XUser, *, about_keyword: bool) -> Found | None:
        rows = tx.all(RECENT, int(author.id), int(ACCOUNT_ID), RECENT_TWEETS)
        fitting = [row for row in rows if self._is_about(row["text"]) == about_keyword]
        if not fitting:
            return None
        row = tx.rng.choice(fitting)
        return Found(tweet_of(row), row["username"])

    def _is_about(self, text: str) -> bool:
        folded = text.casefold()
        return any(keyword in folded for keyword in self._folded)

    def _text(
        self, tx: Transaction, author: XUser, *, about_keyword: bool, prefix: str = ""
    ) -> tuple[str, str]:
        since_us = tx.now_us - DAY_US
        text, lang = "", ""
        for _ in range(TEXT_TRIES):
            subject = self._mention(tx.rng) if about_keyword else tx.rng.choice(SUBJECTS)
            text, lang = _sentence(tx.rng, subject)
            text = prefix + text
            if not has_tweeted(tx, author.id, text, since_us=since_us):
                return text, lang
        return f"{text} [{tx.new_id()}]", lang

    def _mention(self, rng: Rng) -> str:
        """Return a keyword as people write it."""
        keyword = rng.choice(self._keywords)
        forms = [keyword, keyword, keyword.capitalize(), keyword.upper()]
        if hashtag_body().fullmatch(keyword):
            forms.append(f"#{keyword}")
        return rng.choice(forms)


def _sentence(rng: Rng, subject: str) -> tuple[str, str]:
    """Return a text about the subject, and its language."""
    if rng.random() < FOREIGN_SHARE:
        lang, template = rng.choice(FOREIGN)
    else:
        (mood,) = rng.choices(MOODS, MOOD_WEIGHTS)
        lang, template = "en", rng.choice(mood)
    fillers = {name: rng.choice(values) for name, values in FILLERS.items()}
    slug = f"{rng.getrandbits(40):010x}"
    text = template.format(
        it=subject,
        number=rng.randint(2, 99),
        link=f"https://example.com/{slug}",
        media=f"https://pic.x.com/{slug}",
        **fillers,
    )
    return " ".join(text.split()), lang
