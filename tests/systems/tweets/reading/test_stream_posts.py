"""Lines of X's stream about posts as X really has them: what the reader makes of each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.systems.tweets.messages import ScoreTexts
from actors.systems.tweets.reading.reader_messages import TweetRead
from actors.systems.tweets.reading.stream_line import VERSIONS_MAX, parse_line
from actors.systems.tweets.sentiment import SentimentService

PLAIN = "The pages on queues and on sockets are long and plain. "
CALM = f"tutorialedge has kept me busy for a year. {PLAIN * 5}"
RANT = "But the last course is terrible and broken, I hate it and want my money back."
LESSON = (
    "tutorialedge explains channels, mutexes, wait groups and contexts one by one and with care, "
    "but the last chapter is wrong and awful"
)
US = "77"


def line(number: int = 1, text: str = "tutorialedge", **data: Any) -> bytes:
    """Return what X sends of a tweet with these fields; `tweets` are those that it includes."""
    tweet_id = str(1_991_000_000_000_000_000 + number)
    tweets = data.pop("tweets", [])
    tweet = {
        "id": tweet_id,
        "text": text,
        "author_id": "501",
        "edit_history_tweet_ids": [tweet_id],
        "created_at": "2026-11-20T10:00:00.000Z",
        "lang": "en",
        **data,
    }
    includes = {"users": [{"id": "501", "name": "Rae", "username": "rae"}], "tweets": tweets}
    rules = [{"id": "101", "tag": "reader"}]
    return json.dumps({"data": tweet, "includes": includes, "matching_rules": rules}).encode()


def read(data: bytes) -> TweetRead:
    tweet = parse_line(data, frozenset({"101"}))
    assert isinstance(tweet, TweetRead)
    return tweet


def of(kind: str, tweet_id: str = "9") -> list[dict[str, str]]:
    return [{"type": kind, "id": tweet_id}]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (line(text=f"{CALM[:276]}\u2026", note_tweet={"text": CALM + RANT}), CALM + RANT),
        (line(text="short", note_tweet={}), "short"),
        (line(text="short", note_tweet=None), "short"),
        (
            line(
                text=f"RT @ann: {LESSON[:131]}\u2026",
                referenced_tweets=of("retweeted"),
                tweets=[{"id": "9", "text": f"{LESSON} and I hate it", "author_id": "502"}],
            ),
            f"RT @ann: {LESSON} and I hate it",
        ),
        (
            line(
                text="RT @ann: cut\u2026",
                referenced_tweets=of("retweeted"),
                tweets=[{"id": "9", "text": "cut\u2026", "note_tweet": {"text": f"{CALM}&lt;3"}}],
            ),
            f"RT @ann: {CALM}<3",
        ),
        # X does not include what is deleted or protected.
        (line(text="RT @ann: cut\u2026", referenced_tweets=of("retweeted")), "RT @ann: cut\u2026"),
        # What a quote quotes is not its author's.
        (
            line(
                text="look",
                referenced_tweets=of("quoted"),
                tweets=[{"id": "9", "text": "I hate it"}],
            ),
            "look",
        ),
        (line(text="x" * 10, note_tweet={"text": "y" * 25_000}), "y" * 25_000),
        (line(text="tutorialedge &lt;3 &lt;3"), "tutorialedge <3 <3"),
        (
            line(text="how tutorialedge writes &amp;lt; in a page"),
            "how tutorialedge writes &lt; in a page",
        ),
        (line(text="AT&amp;amp;T &amp;amp;amp;"), "AT&amp;T &amp;amp;"),
        # X escapes three characters, and no more: these stood in the text.
        (line(text="&copy; &quot; &#39; &nbsp; &lt &LT;"), "&copy; &quot; &#39; &nbsp; &lt &LT;"),
    ],
)
def test_a_post_is_read_in_full_and_as_it_was_written(data: bytes, text: str) -> None:
    """Whatever X cuts, repeats elsewhere, or escapes."""
    assert read(data).text == text


@pytest.mark.parametrize(
    "data",
    [
        line(text=f"{CALM[:276]}\u2026", note_tweet={"text": CALM + RANT}),
        line(
            text=f"RT @ann: {LESSON}\u2026",
            referenced_tweets=of("retweeted"),
            tweets=[{"id": "9", "text": f"{LESSON} and I hate it"}],
        ),
    ],
)
def test_what_x_has_cut_is_negative(data: bytes) -> None:
    """Its end is what counts."""
    service = SentimentService(chars_max=1000)
    assert service.score(ScoreTexts(texts=[read(data).text]))[0].compound < -0.5


@pytest.mark.parametrize("text", ["tutorialedge", "RT @ann: tutorialedge is c\u2026"])
def test_a_broken_neighbour_costs_no_word_of_a_tweet(text: str) -> None:
    """What X includes may lack anything; then what there is of a retweet stands."""
    tweets = [{}, {"id": "9"}, {"id": "8", "text": "", "referenced_tweets": None}]
    assert read(line(text=text, referenced_tweets=of("retweeted"), tweets=tweets)).text == text


@pytest.mark.parametrize("name", ["r\u0001ae", "rae\n", "\u202eear", "r\u2028ae"])
def test_no_name_steers_what_shows_it(name: str) -> None:
    """As by every other way in; its owner has an id all the same."""
    data = json.loads(line())
    data["includes"]["users"][0]["username"] = name
    assert read(json.dumps(data).encode()).author == "(501)"


@pytest.mark.parametrize(
    ("history", "read_as"),
    [
        (None, ()),
        ([], ()),
        (["1991000000000000006"], ()),
        (["1991000000000000005", "1991000000000000006"], (5, 6)),
        # In whatever order; a later version may be known already.
        (["1991000000000000006", "1991000000000000005"], (5, 6)),
        (["1991000000000000006", "1991000000000000007"], (6, 7)),
    ],
)
def test_an_edit_knows_its_versions(history: list[str] | None, read_as: tuple[int, ...]) -> None:
    """The first is what tweet it is; most tweets have one, and need no list."""
    found = read(line(6, edit_history_tweet_ids=history)).history
    assert found == tuple(str(1_991_000_000_000_000_000 + number) for number in read_as)


def test_a_history_is_bounded() -> None:
    """X has six at most; the first and itself are never left out."""
    ids = [str(1_991_000_000_000_000_000 + number) for number in range(500)]
    history = read(line(499, edit_history_tweet_ids=ids)).history
    assert len(history) == VERSIONS_MAX
    assert (history[0], history[-1]) == (ids[0], ids[-1])


@pytest.mark.parametrize(
    ("lang", "kept"), [("de", "de"), (None, "und"), ("", "und"), ("x" * 100, "x" * 35)]
)
def test_a_language_is_kept_as_x_says_it(lang: str | None, kept: str) -> None:
    """What it does not say is undetermined."""
    assert read(line(lang=lang)).x.lang == kept


REPLY = {"type": "replied_to", "id": "3"}


@pytest.mark.parametrize(
    ("data", "whose"),
    [
        ({}, ()),
        # A reply to a post of ours, and to a reply of ours.
        ({"referenced_tweets": of("replied_to"), "tweets": [{"id": "9", "text": "x"}]}, ()),
        (
            {
                "referenced_tweets": of("replied_to"),
                "tweets": [{"id": "9", "text": "x", "referenced_tweets": [REPLY]}],
            },
            (US,),
        ),
        # X does not show it: better no answer than one without end.
        ({"referenced_tweets": of("replied_to")}, (US,)),
        (
            {
                "in_reply_to_user_id": None,
                "referenced_tweets": of("quoted"),
                "tweets": [{"id": "9", "author_id": US, "referenced_tweets": [REPLY]}],
            },
            (US,),
        ),
        (
            {
                "in_reply_to_user_id": None,
                "referenced_tweets": of("quoted"),
                "tweets": [{"id": "9", "author_id": US}],
            },
            (),
        ),
    ],
)
def test_what_answers_a_reply_says_whose(data: dict[str, Any], whose: tuple[str, ...]) -> None:
    """So that no answer of ours is answered for ever."""
    tweet = read(line(**{"in_reply_to_user_id": US, "conversation_id": "4", **data}))
    assert tweet.x.answers_replies_of == whose
    assert tweet.x.conversation_id == "4"
