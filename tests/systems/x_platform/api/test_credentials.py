"""The embedded X's keys and their file."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from actors.errors import ConfigError
from actors.systems.x_platform.api.embedded_credentials import (
    FILE,
    read_embedded_credentials,
)
from actors.systems.x_platform.messages import ACCOUNT_ID

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [
    "bearer_token",
    "consumer_key",
    "consumer_secret",
    "access_token",
    "access_token_secret",
    "oauth2_token",
]


def test_they_are_made_once_and_are_their_owners_alone(tmp_path: Path) -> None:
    """The second boot reads what the first wrote; mode 0600; each key is another."""
    made, path = read_embedded_credentials(tmp_path), tmp_path / FILE
    keys = json.loads(path.read_text())
    assert list(keys) == NAMES
    assert len(set(keys.values())) == len(NAMES)
    assert keys["access_token"].startswith(f"{ACCOUNT_ID}-")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_embedded_credentials(tmp_path) == made
    assert json.loads(path.read_text()) == keys
    assert made.bearer_token == keys["bearer_token"]


def test_they_are_shown_nowhere(tmp_path: Path) -> None:
    """Neither in a repr nor in a text that is made of one."""
    keys = read_embedded_credentials(tmp_path)
    assert f"{keys} {keys!r}" == "EmbeddedCredentials(...) EmbeddedCredentials(...)"
    assert keys.__rich_repr__() == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe" * 20,
        b'{"bearer_token": "short"}',
        json.dumps(dict.fromkeys(NAMES, "a-secret-of-whom-nobody-tells")).encode(),
        json.dumps(dict.fromkeys(NAMES, "line\nbreak" * 5)).encode(),
    ],
)
def test_a_damaged_file_says_what_to_do_and_nothing_of_what_it_holds(
    tmp_path: Path, content: bytes
) -> None:
    """No boot with keys that are missing, guessable, or another account's."""
    (tmp_path / FILE).write_bytes(content)
    (tmp_path / FILE).chmod(0o600)
    with pytest.raises(ConfigError, match=r"x\.credentials\.json .*delete") as caught:
        read_embedded_credentials(tmp_path)
    assert "a-secret" not in str(caught.value)
