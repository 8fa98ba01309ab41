"""What is inserted: a thousand texts of sixty characters, every fourth of them negative."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from pathlib import Path

COUNT: Final = 1000
FOURTH: Final = 4
# Nothing else that is stored has the word; both are sixty characters with their number.
NEGATIVE_WORD: Final = "terrible"
TEMPLATES: Final = {
    True: "tutorialedge has a terrible course on actors, it says, {:05d}",
    False: "tutorialedge has a good course on how actors work, see {:05d}",
}


def insert_texts() -> list[str]:
    """Return them."""
    return [TEMPLATES[number % FOURTH == 0].format(number) for number in range(COUNT)]


def write_texts(folder: Path) -> Path:
    """Write them as they stand in a URL, a line each; returns the file."""
    path = folder / "texts.txt"
    path.write_text("".join(f"{quote(text)}\n" for text in insert_texts()))
    return path
