"""A data folder from before files were stamped, as a SIGKILL left it.

Written by the program as it was then: both systems, two customers, a room, a confirmed booking and
a tweet, some of it in the files and some in their write-ahead logs.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

ARCHIVE = Path(__file__).with_name("unstamped.tar.xz")
SERVICES = (
    "booking", "card_processor", "customer", "favouriter", "flagger", "notification", "payment",
    "reader", "responder", "room", "tweets", "x_platform",
)  # fmt: skip


def unpack(to: Path) -> Path:
    """Return the new folder `to` with its files."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(to, filter="data")
    to.chmod(0o700)
    return to
