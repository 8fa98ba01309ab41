"""Figures of a running system: what /metrics says, by name and labels."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.benchmarks.client import Client

_LINE: Final = re.compile(r"dress_rehearsal_(\w+)(?:\{(.*)\})? (\S+)")


class Scrape:
    """One look at it."""

    def __init__(self, client: Client) -> None:
        """`client` has the operator's token."""
        text = client.request("GET", "/metrics", 200).decode()
        found = (_LINE.match(line) for line in text.splitlines())
        self._lines = [(each[1], each[2] or "", float(each[3])) for each in found if each]

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of all that have this name, and these labels among theirs."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(
            value
            for each, said, value in self._lines
            if each == name and all(one in said.split(",") for one in wanted)
        )
