"""Whether spans leave for a collector; and what is to be installed for that."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from actors.errors import ConfigError
from actors.tracing.span_export import SpanExport

if TYPE_CHECKING:
    from actors.config import OtlpConfig
    from actors.otlp.otlp_sender import OtlpSender


def export_to(config: OtlpConfig) -> SpanExport | None:
    """Return what sends spans where the configuration says, or None of none. Raises ConfigError."""
    return SpanExport(config, sender_type()(config)) if config.url else None


def check_export(config: OtlpConfig) -> None:
    """Raise ConfigError where spans are to leave, and nothing is installed that could do that."""
    if config.url:
        sender_type()


def sender_type() -> type[OtlpSender]:
    """Return it, imported: that takes a while. Raises ConfigError."""
    try:
        from actors.otlp.otlp_sender import OtlpSender  # noqa: PLC0415 - who sends nothing needs none
    except ModuleNotFoundError as missing:
        message = (
            f"configuration: trace.otlp.url: sending spans needs {missing.name}; type "
            f"{shlex.quote(sys.executable)} -m pip install 'dress-rehearsal[otlp]'"
        )
        raise ConfigError(message) from missing
    return OtlpSender
