"""The host of the system under simulation, and its operator's key."""

from __future__ import annotations

from typing import Final

EDGE_HOST: Final = "edge"
# No secret: nobody but the simulation can reach it.
ADMIN_TOKEN: Final = "simulated-admin-token"  # noqa: S105
