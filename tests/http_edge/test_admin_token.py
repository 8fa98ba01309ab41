"""The admin token's file."""

from __future__ import annotations

import errno
import stat
from typing import TYPE_CHECKING

import pytest
import structlog

from actors.errors import ConfigError
from http_edge.admin_token import FILE, load_admin_token

if TYPE_CHECKING:
    from pathlib import Path


def test_the_token_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    """The second boot reads what the first wrote; mode 0600; another directory, another token."""
    token = load_admin_token(tmp_path)
    assert len(token) >= 32
    assert load_admin_token(tmp_path) == token
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    other = tmp_path / "other"
    other.mkdir()
    assert load_admin_token(other) != token


def test_a_file_that_others_can_read_is_tightened_with_a_warning(tmp_path: Path) -> None:
    """The token stays, the permissions do not."""
    token = load_admin_token(tmp_path)
    (tmp_path / FILE).chmod(0o644)
    with structlog.testing.capture_logs() as logs:
        assert load_admin_token(tmp_path) == token
    assert [line["log_level"] for line in logs] == ["warning"]
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"\n", b"short", b"\xff\xfe" * 20, b"two words" * 5])
def test_a_damaged_file_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    """No boot with a token that is empty, guessable or unreadable."""
    path = tmp_path / FILE
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=r"admin\.token.* delete"):
        load_admin_token(tmp_path)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A configuration error, not a traceback."""
    with pytest.raises(ConfigError, match="nowhere"):
        load_admin_token(tmp_path / "nowhere")


def test_a_boot_that_dies_while_it_makes_the_token_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token appears whole or not at all, so the next boot needs no help."""

    def full(_file: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("http_edge.secret_file.os.write", full)
        with pytest.raises(ConfigError, match="No space left"):
            load_admin_token(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert len(load_admin_token(tmp_path)) >= 32
