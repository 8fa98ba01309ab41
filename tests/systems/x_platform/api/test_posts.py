"""Posts as X shows them: cut, escaped, with all versions; in the stream and in every look-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors.systems.x_platform.api.written import (
    escaped_entities,
    is_long,
    shown_text,
    with_entities,
)
from actors.systems.x_platform.messages import Reference, XTweet
from tests.systems.x_platform.api.embedded_x import EmbeddedX, embedded_x

if TYPE_CHECKING:
    from collections.abc import Iterable

WORDS = "tutorialedge has <long> pages on queues & sockets "
LONG = f"{WORDS * 8}with @ada at the end #fin"
FULL = "?tweet.fields=note_tweet,entities,referenced_tweets&expansions=referenced_tweets.id"


def tweet(text: str, **about: Any) -> XTweet:
    return XTweet(
        id="1", text=text, author_id="2", created_at_us=0, lang="en", conversation_id="1", **about
    )


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("x" * 280, False),
        ("x" * 281, True),
        ("日" * 140, False),
        ("日" * 141, True),
        ("\U0001f600" * 140, False),
        ("\U0001f600" * 141, True),
        # A link weighs 23, however long it is.
        (f"{'x' * 256} https://example.com/{'y' * 500}", False),
        (f"{'x' * 257} https://example.com/{'y' * 500}", True),
        # What is escaped weighs what it was.
        ("&" * 280, False),
    ],
)
def test_a_post_is_cut_at_280_weighted_characters(text: str, *, cut: bool) -> None:
    """With an ellipsis and a link to all of it; never amid a link."""
    assert is_long(tweet(text)) is cut
    shown = shown_text(tweet(text))
    if cut:
        begin, link = shown.split("\u2026 ")
        assert text.startswith(begin)
        assert link.startswith("https://t.co/")
        assert not is_long(tweet(shown))
        assert begin.partition("https://")[1] == ""
    else:
        assert shown == text


def test_a_retweet_is_cut_at_140_and_has_no_note() -> None:
    """All of it stands in what it repeats."""
    repeated = tweet(f"RT @ada: {LONG}", references=(Reference(type="retweeted", id="3"),))
    shown = shown_text(repeated)
    assert len(shown) == 140
    assert repeated.text.startswith(shown[:-1])
    assert (shown[-1], is_long(repeated)) == ("\u2026", False)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a < b & c > d", "a &lt; b &amp; c &gt; d"),
        ("&lt;", "&amp;lt;"),
        ("&amp;amp;", "&amp;amp;amp;"),
        ("&copy; \"'", "&amp;copy; \"'"),
        ("plain", "plain"),
    ],
)
def test_three_characters_are_escaped_and_no_other(text: str, shown: str) -> None:
    """Once, also what looks like an entity."""
    assert with_entities(text) == shown


def test_places_are_those_of_the_text_that_is_shown() -> None:
    """Each entity is what stands there; an entity of HTML's begins no hashtag."""
    text = "R&D <3 #go & @ada > https://example.com/?a=1&b=2 $cash a&#tag"
    shown = with_entities(text)
    found = escaped_entities(text)
    places = [shown[each["start"] : each["end"]] for kind in found.values() for each in kind]
    assert sorted(places) == ["#go", "$cash", "@ada", "https://example.com/?a=1&amp;b=2"]
    (url,) = found["urls"]
    assert url["url"] == "https://example.com/?a=1&amp;b=2"
    assert url["expanded_url"] == "https://example.com/?a=1&b=2"


async def shown_everywhere(x: EmbeddedX, tweet_id: str, query: str) -> Iterable[dict[str, Any]]:
    """Return the answers of every look-up of this tweet."""
    one = await x.get(f"/2/tweets/{tweet_id}{query}")
    many = await x.get(f"/2/tweets{query}{'&' if query else '?'}ids={tweet_id}")
    return one, {**many, "data": many["data"][0]}


@pytest.mark.parametrize("query", ["", FULL])
async def test_a_long_post_is_cut_and_escaped_in_every_answer(query: str) -> None:
    """All of it stands in the note, for those who ask for it."""
    async with embedded_x() as x:
        await x.add_rules("fin")  # it stands behind the cut: X matches all of a post
        stream = await x.open_stream(query)
        posted = await x.tweet_as("bob", LONG)
        assert posted["text"] == LONG
        streamed = await stream.object()
        for answer in (streamed, *await shown_everywhere(x, posted["id"], query)):
            data = answer["data"]
            assert data["text"].startswith(with_entities(WORDS))
            assert "\u2026 https://t.co/" in data["text"]
            assert ("note_tweet" in data) is bool(query)
            if query:
                assert data["note_tweet"]["text"] == with_entities(LONG)
                assert data["note_tweet"]["entities"]["mentions"][0]["username"] == "ada"
                assert "mentions" not in data["entities"]


async def test_a_retweet_brings_what_it_repeats_in_full() -> None:
    """In the stream and in look-ups, with its note where that was asked for."""
    async with embedded_x() as x:
        await x.add_rules("tutorialedge is:retweet")
        stream = await x.open_stream(FULL)
        posted = await x.tweet_as("bob", LONG)
        repeated = await x.tweet_as("ada", "-", retweet_tweet_id=posted["id"])
        streamed = await stream.object()
        for answer in (streamed, *await shown_everywhere(x, repeated["id"], FULL)):
            assert answer["data"]["text"].startswith("RT @bob: tutorialedge has &lt;long&gt;")
            assert "note_tweet" not in answer["data"]
            (original,) = answer["includes"]["tweets"]
            assert original["note_tweet"]["text"] == with_entities(LONG)


async def test_the_account_posts_raw_text_and_is_shown_it_escaped() -> None:
    """It is told so at once."""
    async with embedded_x() as x:
        reply = await x.post("/2/tweets", {"text": "AT&T <3 &lt;"}, x.user)
        data = reply.json["data"]
        assert data["text"] == "AT&amp;T &lt;3 &amp;lt;"
        for answer in await shown_everywhere(x, data["id"], ""):
            assert answer["data"] == data


# --- Edits -------------------------------------------------------------------------------------


async def test_an_edit_is_another_post_with_the_same_history() -> None:
    """The stream says what was known then; a look-up of any version knows all."""
    async with embedded_x() as x:
        await x.add_rules("cats")
        stream = await x.open_stream()
        first = await x.post("/2/tweets", {"text": "cats 1"}, x.user)
        ids = [first.json["data"]["id"]]
        for number in (2, 3):
            body = {"text": f"cats {number}", "edit_options": {"previous_post_id": ids[-1]}}
            reply = await x.post("/2/tweets", body, x.user)
            assert reply.status == 201, reply.body
            data = reply.json["data"]
            ids.append(data["id"])
            assert data == {"id": ids[-1], "text": f"cats {number}", "edit_history_tweet_ids": ids}
        for number in (1, 2, 3):
            data = (await stream.object())["data"]
            assert data["edit_history_tweet_ids"] == ids[:number]
            assert data["text"] == f"cats {number}"
        for tweet_id in ids:
            for answer in await shown_everywhere(x, tweet_id, ""):
                assert answer["data"]["edit_history_tweet_ids"] == ids


async def test_what_x_lets_nobody_edit_is_refused() -> None:
    """Another's, a retweet, a reply to others, a sixth edit, and what is half an hour old."""
    async with embedded_x() as x:
        other = await x.tweet_as("ada", "cats")
        ours = (await x.post("/2/tweets", {"text": "dogs"}, x.user)).json["data"]["id"]
        body = {"text": "@ada dogs", "reply": {"in_reply_to_tweet_id": other["id"]}}
        answer = (await x.post("/2/tweets", body, x.user)).json["data"]["id"]
        numbers = iter(range(100))

        async def edit(tweet_id: str) -> int:
            text = f"edited {next(numbers)}"
            body = {"text": text, "edit_options": {"previous_post_id": tweet_id}}
            return (await x.post("/2/tweets", body, x.user)).status

        assert [await edit(each) for each in (other["id"], answer, "7")] == [403] * 3
        assert await edit("x") == 400
        assert [await edit(ours) for _ in range(6)] == [*[201] * 5, 403]
        late = (await x.post("/2/tweets", {"text": "late"}, x.user)).json["data"]["id"]
        x.clock.advance(30 * 60 + 1)
        assert await edit(late) == 403


async def test_an_operator_edits_as_anybody() -> None:
    """And as nobody else; an edit refers to what it referred to."""
    async with embedded_x() as x:
        cats = await x.tweet_as("ada", "cats")
        quote = await x.tweet_as("bob", "look", quote_tweet_id=cats["id"])
        edit = await x.tweet_as("bob", "look here", edits=quote["id"])
        assert edit["history"] == [quote["id"], edit["id"]]
        assert edit["references"] == quote["references"]
        assert edit["conversation_id"] == quote["conversation_id"]
        headers = {"Authorization": f"Bearer {x.token}"}
        for fields, status in (
            ({"username": "ada", "edits": quote["id"]}, 409),
            ({"username": "nobody", "edits": quote["id"]}, 409),
            ({"username": "bob", "edits": quote["id"], "quote_tweet_id": cats["id"]}, 422),
        ):
            body = {"text": "x", **fields}
            reply = await x.send("POST", "/admin/x/tweets", "gateway", json=body, headers=headers)
            assert reply.status == status, reply.body
