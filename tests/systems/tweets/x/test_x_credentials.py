"""X's credentials: read, refused by name, and never shown."""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from actors.errors import ConfigError
from actors.systems.tweets.x.credentials import (
    VARIABLES,
    XCredentials,
    from_environment,
    load_credentials,
)
from tests.systems.tweets.reading.reading_stage import CREDENTIALS

if TYPE_CHECKING:
    from pathlib import Path

KEYS: dict[str, str] = msgspec.to_builtins(CREDENTIALS)
GIVEN = {key: value for key, value in KEYS.items() if key in VARIABLES}
ENVIRON = {VARIABLES[key]: value for key, value in GIVEN.items()}


def test_a_file_is_read(tmp_path: Path) -> None:
    """With a token of OAuth 2, or without."""
    path = tmp_path / "x.json"
    path.write_text(json.dumps(GIVEN))
    assert load_credentials(path) == CREDENTIALS
    path.write_text(json.dumps(GIVEN | {"oauth2_token": "t"}))
    assert load_credentials(path) == msgspec.structs.replace(CREDENTIALS, oauth2_token="t")
    assert load_credentials(path).user_id == "1500000000000000001"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (None, "No such file"),
        (b"", "no JSON object"),
        (b"SECRET", "no JSON object"),
        (b"\xff\xfeSECRET", "no JSON object"),
        (b'["SECRET"]', "object"),
        (GIVEN | {"bearer_token": ""}, "bearer_token"),
        (GIVEN | {"bearer_token": "SECRET\r\nX-Evil: 1"}, "bearer_token"),
        (GIVEN | {"consumer_secret": 7}, "consumer_secret"),
        (GIVEN | {"access_token": "SECRET"}, "access_token"),
        ({key: value for key, value in GIVEN.items() if key != "consumer_key"}, "consumer_key"),
        (GIVEN | {"token": "SECRET"}, "token"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, content: Any, named: str) -> None:
    """The message names the file and the key, and repeats nothing of what stands there."""
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(ConfigError, match=named) as raised:
        load_credentials(path)
    assert str(path) in str(raised.value)
    assert "SECRET" not in "".join(traceback.format_exception(raised.value))


def test_the_environment_has_all_or_none() -> None:
    """What is set and empty is not set."""
    assert from_environment(ENVIRON) == CREDENTIALS
    assert from_environment({}) is None
    assert from_environment(dict.fromkeys(ENVIRON, "")) is None
    for name in ENVIRON:
        some = {key: value for key, value in ENVIRON.items() if key != name}
        with pytest.raises(ConfigError, match=f"lacks {name}"):
            from_environment(some)


@pytest.mark.parametrize("name", list(ENVIRON))
def test_a_variable_that_is_no_credential_is_refused_by_name(name: str) -> None:
    """And not repeated."""
    environ = ENVIRON | {name: "hush hush"}
    with pytest.raises(ConfigError, match=f"{name} is nothing") as raised:
        from_environment(environ)
    assert "hush" not in str(raised.value)


def test_nothing_shows_them() -> None:
    """Whichever way Python, or who formats tracebacks, asks for a text."""
    shown = [repr(CREDENTIALS), str(CREDENTIALS), f"{CREDENTIALS}", repr([CREDENTIALS])]
    shown.append(repr(list(CREDENTIALS.__rich_repr__())))
    assert "SECRET" not in "".join(shown)
    assert isinstance(CREDENTIALS, XCredentials)
