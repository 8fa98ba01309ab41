"""x.base_url: every part that speaks to X goes there, and nowhere that keys must not go."""

from __future__ import annotations

import pytest

from actors.errors import ConfigError
from actors.systems.tweets.x.access import XAccess
from actors.systems.tweets.x.stream_adapter import StreamAdapter
from actors.systems.tweets.x.x_client import AccountRules, Search, XWriter
from actors.systems.tweets.x.x_errors import XUnreachable
from tests.systems.tweets.reading.reading_stage import CREDENTIALS
from tests.systems.tweets.rough_x import RULES, SEARCH, STREAM, opens, rough_x


def access_to(base_url: str, *, simulator: bool = False) -> XAccess:
    return XAccess(CREDENTIALS, simulator=simulator, write=True, base_url=base_url)


async def test_every_request_to_x_goes_to_the_base_url() -> None:
    """The stream, its rules, the search, likes and replies; its path goes before X's."""
    async with rough_x() as x:
        access = access_to(f"{x.url}/")
        x.streams.append(opens())
        with pytest.raises(XUnreachable):
            [said async for said in StreamAdapter(access, stall_s=5.0).follow()]
        await AccountRules(access, read_s_max=5.0).list()
        search = Search(access, "cats", read_s_max=5.0)
        await search.page(since_id=1, until_id=None, token=None)
        writer = XWriter(access)
        await writer.like("7")
        await writer.reply("text", in_reply_to="7")
        paths = [request.path for request in x.requests]
        likes = f"/2/users/{access.user_id}/likes"
        assert paths == [STREAM, RULES, SEARCH, likes, "/2/tweets"]
        behind = access_to(f"{x.url}/x-proxy")
        await XWriter(behind).like("7")
        assert x.requests[-1].path == f"/x-proxy{likes}"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("x.example", "is not of the form"),
        ("ftp://x.example", "is not of the form"),
        ("https://", "is not of the form"),
        ("https://x.example:99999", "is no URL"),
        ("https://user:SECRET@x.example", "has a user"),
        ("https://x.example/?a=b", "a query"),
        ("https://x.example/#a", "a fragment"),
        ("https://x.example/a b", "blanks"),
        ("http://x.example", "use https"),
        ("http://10.0.0.1", "use https"),
    ],
)
def test_a_base_url_that_is_none_or_shows_the_keys_is_refused(url: str, words: str) -> None:
    """By name, with what to do, and without what stands in it that is secret."""
    with pytest.raises(ConfigError, match=words) as raised:
        access_to(url)
    assert "x.base_url" in str(raised.value)
    assert "SECRET" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    ["https://x.example", "https://x.example:8443/api", "http://127.0.0.1:1", "http://[::1]:1"],
)
async def test_a_base_url_is_where_x_is(url: str) -> None:
    """Over TLS anywhere, in the clear on this machine."""
    assert await access_to(url).base_url() == url


def test_the_simulator_has_no_base_url() -> None:
    """It is where it listens: who sets one means X itself."""
    with pytest.raises(ConfigError, match=r"see x\.platform"):
        access_to("https://x.example", simulator=True)


def test_the_data_of_one_x_are_not_another_ones() -> None:
    """What a folder is bound to names the base URL, for its ids are of what is behind that."""
    at_x, at_stub = access_to(""), access_to("http://127.0.0.1:1/")
    user_id = CREDENTIALS.user_id
    assert at_x.account == f"X, {user_id}"
    assert at_stub.account == f"X at http://127.0.0.1:1, {user_id}"
    assert access_to("", simulator=True).account == f"the embedded simulator, {user_id}"
