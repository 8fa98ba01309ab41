"""The embedded X in a simulation: its keys, and the wire that leads there and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from actors.systems.tweets.credentials import XCredentials
from actors.systems.x_platform.api.embedded_credentials import FILE
from actors.systems.x_platform.messages import ACCOUNT_ID

if TYPE_CHECKING:
    from pathlib import Path

# The same process, but as far away as another machine: what breaks networks can break this.
HOST: Final = "x"
ADDRESS: Final = "127.0.0.2"
PORT: Final = 8_100

# No secrets: nobody but the simulation can reach it.
CREDENTIALS: Final = XCredentials(
    bearer_token="simulated-bearer-token",  # noqa: S106
    consumer_key="simulated-consumer-key",
    consumer_secret="simulated-consumer-secret",  # noqa: S106
    access_token=f"{ACCOUNT_ID}-simulated-access-token",
    access_token_secret="simulated-access-token-secret",  # noqa: S106
    oauth2_token="simulated-oauth2-token",  # noqa: S106
)


def lay_out_credentials(folder: Path) -> None:
    """Write them where the edge looks for them."""
    path = folder / FILE
    path.write_bytes(msgspec.json.encode(CREDENTIALS))
    path.chmod(0o600)
