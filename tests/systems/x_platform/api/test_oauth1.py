"""Signatures: whatever a stock signer signs is taken, whatever is changed after it is not."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from oauthlib import oauth1

from actors.systems.x_platform.api.embedded_credentials import EmbeddedCredentials
from actors.systems.x_platform.api.oauth1 import Signed, verify_signature
from actors.systems.x_platform.messages import ACCOUNT_ID

KEYS = EmbeddedCredentials(
    bearer_token="b" * 20,
    consumer_key="consumer-key-of-the-app",
    consumer_secret="consumer-secret-of-the-app",
    access_token=f"{ACCOUNT_ID}-of-the-account",
    access_token_secret="secret-of-the-account",
    oauth2_token="o" * 20,
)
HOST = "127.0.0.1:8100"
BASES = [
    "https://api.twitter.com",
    "https://api.x.com",
    f"http://{HOST}",
    f"https://{HOST}",
]
# What the address of a signed request may be made of, as a client would send it.
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)


def sign(method: str, url: str, **changes: Any) -> str:
    """Return the Authorization header that oauthlib makes."""
    options: dict[str, Any] = {
        "client_secret": KEYS.consumer_secret,
        "resource_owner_key": KEYS.access_token,
        "resource_owner_secret": KEYS.access_token_secret,
        "nonce": "n1",
        "timestamp": "1700000000",
        **changes,
    }
    signer = oauth1.Client(options.pop("client_key", KEYS.consumer_key), **options)
    _, headers, _ = signer.sign(url, http_method=method)
    header: str = headers["Authorization"]
    return header


def check(method: str, path: str, header: str, host: str = HOST) -> Signed | None:
    request = make_mocked_request(method, path, headers={"Host": host})
    scheme, _, rest = header.partition(" ")
    assert scheme == "OAuth"
    return verify_signature(request, rest, KEYS)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("path", ["/2/tweets", "/2/tweets?ids=1,2&user.fields=id", "/2/a%20b"])
def test_a_signature_counts_for_xs_hosts_and_for_the_one_that_was_asked(
    base: str, path: str
) -> None:
    """Clients rebase addresses after they have signed them."""
    signed = check("POST", path, sign("POST", base + path))
    assert signed == Signed(timestamp_s=1_700_000_000, nonce="n1")


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("example.org:80", "http://example.org"),
        ("Example.ORG", "http://example.org"),
        ("example.org:443", "https://example.org"),
        ("example.org:8443", "https://example.org:8443"),
    ],
)
def test_a_default_port_and_the_case_of_a_host_make_no_difference(host: str, base: str) -> None:
    """RFC 5849 section 3.4.1.2."""
    assert check("GET", "/2/tweets", sign("GET", f"{base}/2/tweets"), host) is not None


@given(pairs=st.lists(st.tuples(NAMES, NAMES), max_size=5))
def test_any_query_can_be_signed(pairs: list[tuple[str, str]]) -> None:
    """Names and values of any characters, repeated or not: the order and the escapes are one."""
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    path = f"/2/tweets?{query}" if query else "/2/tweets"
    header = sign("GET", f"https://api.x.com{path}")
    assert check("GET", path, header) is not None


def test_the_example_of_the_rfc_is_computed_as_there() -> None:
    """By hand, without oauthlib: the base string of a request with doubled and empty parameters."""
    path = "/2/tweets?b5=%3D%253D&a3=a&c%40=&a2=r%20b&a3=2+q"
    parameters = [
        "a2=r%20b",
        "a3=2%20q",
        "a3=a",
        "b5=%3D%253D",
        "c%40=",
        f"oauth_consumer_key={KEYS.consumer_key}",
        "oauth_nonce=n1",
        "oauth_signature_method=HMAC-SHA1",
        "oauth_timestamp=1700000000",
        f"oauth_token={KEYS.access_token}",
    ]
    base = f"GET&https%3A%2F%2Fapi.x.com%2F2%2Ftweets&{quote('&'.join(parameters), safe='')}"
    key = f"{KEYS.consumer_secret}&{KEYS.access_token_secret}"
    digest = hmac.digest(key.encode(), base.encode(), hashlib.sha1)
    signature = quote(base64.b64encode(digest).decode(), safe="")
    header = (
        f'OAuth realm="X", oauth_consumer_key="{KEYS.consumer_key}", oauth_nonce="n1",'
        f' oauth_signature="{signature}", oauth_signature_method="HMAC-SHA1",'
        f' oauth_timestamp="1700000000", oauth_token="{KEYS.access_token}"'
    )
    assert check("GET", path, header) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"client_key": "another-app"},
        {"client_secret": "guessed"},
        {"resource_owner_key": f"{ACCOUNT_ID}-guessed"},
        {"resource_owner_secret": "guessed"},
        {"signature_method": "PLAINTEXT"},
        {"signature_method": "HMAC-SHA256"},
        {"timestamp": "-1"},
        {"timestamp": "soon"},
        {"nonce": "n" * 256},
        {"nonce": "two words"},
    ],
)
def test_who_has_not_all_the_keys_cannot_sign(changes: dict[str, str]) -> None:
    """Nor in any other method than X's."""
    assert check("GET", "/2/tweets", sign("GET", "https://api.x.com/2/tweets", **changes)) is None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/2/tweets?ids=1"),
        ("GET", "/2/tweets?ids=2"),
        ("GET", "/2/tweets?ids=1&ids=1"),
        ("GET", "/2/tweets"),
        ("GET", "/2/users?ids=1"),
        ("GET", "/2/tweets/?ids=1"),
    ],
)
def test_what_is_signed_cannot_be_changed(method: str, path: str) -> None:
    """Method, path and parameters are all held to it."""
    header = sign("GET", "https://api.x.com/2/tweets?ids=1")
    assert check("GET", "/2/tweets?ids=1", header) is not None
    assert check(method, path, header) is None


def test_another_host_is_none_of_ours() -> None:
    """A signature that was made for somebody else's server does not count here."""
    header = sign("GET", "https://example.org/2/tweets")
    assert check("GET", "/2/tweets", header) is None


@given(data=st.data())
def test_no_character_of_a_header_can_be_changed(data: st.DataObject) -> None:
    """Any other character anywhere is a refusal, or means the same."""
    header = sign("GET", "https://api.x.com/2/tweets")
    at = data.draw(st.integers(6, len(header) - 1))
    other = data.draw(st.characters(min_codepoint=0x20, max_codepoint=0x7E))
    changed = header[:at] + other + header[at + 1 :]
    signed = check("GET", "/2/tweets", changed)
    assert signed in (None, Signed(timestamp_s=1_700_000_000, nonce="n1"))
    if signed is not None:
        # Blanks around a comma, or the case of an escape's digits: the same to every reader.
        assert changed.lower().replace(" ", "") == header.lower().replace(" ", "")


@given(header=st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=200))
def test_garbage_is_no_signature(header: str) -> None:
    """Whatever stands behind `OAuth `."""
    assert check("GET", "/2/tweets", f"OAuth {header}") is None
