"""What stands in the documentation's blocks: files, named in their first line, and commands."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A block of its own, and not the second line of a list's item.
INDENTED = re.compile(r"(?<=\n\n) {4}\S.*\n(?:\n? {4}.*\n)*")
NAMED = re.compile(r"(?:#|--) ([\w./-]+\.(?:py|sql|toml))\n")


class Written(NamedTuple):
    """A command as a page has it, on one line."""

    page: str
    command: str

    def __str__(self) -> str:
        return f"{self.page}: {self.command}"


def read(page: str) -> str:
    """Return the text of a page, which is named from the repository's root."""
    return (ROOT / page).read_text(encoding="utf-8")


def files_of(page: str) -> dict[str, str]:
    """Return the files that the page's blocks are, by name. Raises ValueError where two are one."""
    found: dict[str, str] = {}
    for _, block in FENCED.findall(read(page)):
        if named := NAMED.match(block):
            if named[1] in found:
                raise ValueError(f"{page} has two blocks {named[1]}")
            found[named[1]] = block
    return found


def write_files(page: str, folder: Path) -> Path:
    """Write the page's files into a folder, and return that."""
    for name, text in files_of(page).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@contextmanager
def importable(page: str, folder: Path) -> Iterator[Path]:
    """Have the page's files, written into a folder, imported from there; then forget them again."""
    write_files(page, folder)
    known = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


def commands_of(page: str) -> Iterator[Written]:
    """Yield what the page says to type, but for the tours, whose outputs stand below them."""
    text = read(page)
    blocks = [block for kind, block in FENCED.findall(text) if kind in {"sh", "bash"}]
    blocks += INDENTED.findall(FENCED.sub("", text))
    for block in blocks:
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            command = line.partition(" # ")[0].strip()
            if command:
                yield Written(page, command)
