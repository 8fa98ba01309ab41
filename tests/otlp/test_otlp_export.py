"""Spans leave where the configuration says so; what that needs is said before anything starts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from actors.app import look_through
from actors.config import load_config
from actors.errors import ConfigError
from actors.otlp.otlp_export import check_export, export_to

if TYPE_CHECKING:
    from pathlib import Path


def test_as_shipped_nothing_leaves() -> None:
    """And nothing is needed for that."""
    config = load_config().trace.otlp
    check_export(config)
    assert export_to(config) is None


def test_what_is_not_installed_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That says what to install."""
    monkeypatch.delitem(sys.modules, "actors.otlp.otlp_sender", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    config = load_config(settings=["trace.otlp.url=http://localhost:4318/v1/traces"])
    with pytest.raises(ConfigError, match=r"pip install 'dress-rehearsal\[otlp\]'$") as told:
        look_through([], config, tmp_path)
    assert "trace.otlp.url" in str(told.value)


@pytest.mark.parametrize("url", ["localhost:4318", "ftp://a", "http://", "http:// a"])
def test_what_is_no_url_is_named(url: str) -> None:
    """As every key is."""
    with pytest.raises(ConfigError, match=r"trace\.otlp\.url"):
        load_config(settings=[f"trace.otlp.url={url}"])
