"""What the responder says: a text that is another one for every tweet."""

from __future__ import annotations

import re
import string
from typing import Final

from actors.errors import ConfigError

DIGITS: Final = string.digits + string.ascii_letters
# X's user names. What is none is no mention, and what looks like one is a stranger's.
HANDLE: Final = re.compile(r"[A-Za-z0-9_]{1,20}")
FIELDS: Final = frozenset({"author", "ref"})


class ReplyText:
    """The configured text, in which `{author}` is whom we answer and `{ref}` stands for the tweet.

    No two tweets are answered with one text: X refuses a text that it has seen, and that refusal
    has to mean that this very answer was posted before.
    """

    def __init__(self, template: str) -> None:
        """Raises ConfigError where the template is none, has another field, or lacks `{ref}`."""
        try:
            parsed = [field for _, *field in string.Formatter().parse(template)]
        except ValueError as error:
            message = f"configuration: tweets.reply_text: {error}; a brace itself is written twice"
            raise ConfigError(message) from error
        # Of each: the name, the format, the conversion; the name is None behind the last.
        fields = [field for field in parsed if field[0] is not None]
        if any(field[0] not in FIELDS or field[1] or field[2] for field in fields):
            message = "configuration: tweets.reply_text has {author} and {ref}, and no other field"
            raise ConfigError(message)
        if not any(field[0] == "ref" for field in fields):
            message = (
                "configuration: tweets.reply_text lacks {ref}, by which every reply differs; "
                "X refuses a text that it has seen"
            )
            raise ConfigError(message)
        if not template.isprintable():
            message = "configuration: tweets.reply_text holds a character that X would refuse"
            raise ConfigError(message)
        self._template = template

    def fill_in(self, *, author: str, tweet_id: str) -> str:
        """Return what is said to `author` about the tweet with that id at X."""
        return self._template.format(author=author, ref=short_id(tweet_id))


def is_handle(author: str) -> bool:
    """Whether `author` can be mentioned; the reader makes another of whom X does not name."""
    return HANDLE.fullmatch(author) is not None


def short_id(tweet_id: str) -> str:
    """Return X's decimal id in base 62: 11 characters for a snowflake, another for every id.

    What is no such number, as no id of X's is, comes back as it is, in quotes.
    """
    if not (tweet_id.isascii() and tweet_id.isdigit()) or tweet_id[0] == "0":
        return f"'{tweet_id}'"
    number, digits = int(tweet_id), ""
    while number:
        number, digit = divmod(number, len(DIGITS))
        digits = DIGITS[digit] + digits
    return digits
