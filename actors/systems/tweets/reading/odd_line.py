"""Lines of X's stream that are no tweets as we know them: mended where that is exact, or set aside.

A whole line of JSON is what X has sent, and comes the same again: to reconnect for it is to be deaf
for nothing. What is no JSON may be damage on the way, and a backfill mends it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.systems.tweets.reading.reader_messages import KeepLine, OddLine
from actors.systems.tweets.reading.stream_line import UnreadableLine, parse_line

if TYPE_CHECKING:
    from actors.systems.tweets.reading.reader_messages import TweetRead
    from actors.systems.tweets.reading.stream_line import OthersTweet, StreamEnds

ID_DIGITS_MAX: Final = 19
DIGEST_BYTES: Final = 12


def read_line(
    line: bytes, own_rules: frozenset[str] = frozenset()
) -> TweetRead | OthersTweet | StreamEnds:
    """Return what the line says, also where it has ids as numbers. Raises UnreadableLine."""
    try:
        return parse_line(line, own_rules)
    except UnreadableLine:
        said = as_json(line)
        if said is None or not _has_number_ids(said):
            raise
        return parse_line(msgspec.json.encode(_with_text_ids(said)), own_rules)


def as_json(line: bytes) -> Any:
    """Return the line's value; None where it is no JSON."""
    try:
        # As text: msgspec does not look at the bytes of what it skips.
        return msgspec.json.decode(line.decode())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def keep(line: bytes, reason: str, *, from_search: bool = False) -> KeepLine:
    """Return the command that sets the line aside; the same for the same tweet or line."""
    tweet_id = _tweet_id(as_json(line))
    digest = hashlib.blake2s(line, digest_size=DIGEST_BYTES).hexdigest()
    return KeepLine(
        line=OddLine(line=line.decode(errors="backslashreplace"), tweet_id=tweet_id),
        letter_id=letter_of(tweet_id) if tweet_id is not None else f"x-line-{digest}",
        reason=reason,
        from_search=from_search,
    )


def letter_of(tweet_id: str) -> str:
    """Return the id of the dead letter of a tweet that cannot be read."""
    return f"x-tweet-{tweet_id}"


def _tweet_id(said: Any) -> str | None:
    data = said.get("data") if isinstance(said, dict) else None
    found = data.get("id") if isinstance(data, dict) else None
    text = str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
    is_id = text.isascii() and text.isdecimal() and len(text) <= ID_DIGITS_MAX
    return text if is_id else None


def _has_number_ids(said: Any) -> bool:
    return bool(_with_text_ids(said) != said)


def _with_text_ids(said: Any, name: str = "") -> Any:
    """Return it with every id as X writes it: in JSON's numbers 64 bits are exact to us alone."""
    if isinstance(said, dict):
        return {key: _with_text_ids(value, key) for key, value in said.items()}
    if isinstance(said, list):
        return [_with_text_ids(value, name) for value in said]
    is_id = name == "id" or name.endswith(("_id", "_ids"))
    if is_id and isinstance(said, int) and not isinstance(said, bool) and said >= 0:
        return str(said)
    return said
