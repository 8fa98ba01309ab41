"""The documentation's commands do what the documentation says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PORTS = {"9000": "gateway", "8080": "hotel", "10000": "tweets"}


def console_steps(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of the text's console blocks with the output written below it."""
    for block in CONSOLE.findall(text):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = step.partition("\n")
            yield command, output.strip()


def matches(written: str, printed: str) -> bool:
    """Whether the output is as written, `…` standing for anything."""
    pattern = ".*".join(re.escape(part) for part in written.split("…"))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None
