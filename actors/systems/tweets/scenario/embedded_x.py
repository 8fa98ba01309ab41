"""The embedded X in a simulation: its keys, and the wire that leads there and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from actors.systems.tweets.outside import EMBEDDED_CREDENTIALS, SIMULATED_CREDENTIALS

if TYPE_CHECKING:
    from pathlib import Path

# The same process, but as far away as another machine: what breaks networks can break this.
HOST: Final = "x"
ADDRESS: Final = "127.0.0.2"
PORT: Final = 8_100


def lay_out_credentials(folder: Path) -> None:
    """Write them where the edge looks for them."""
    path = folder / EMBEDDED_CREDENTIALS
    path.write_bytes(msgspec.json.encode(SIMULATED_CREDENTIALS))
    path.chmod(0o600)
