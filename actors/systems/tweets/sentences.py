"""A text as it is scored: in parts of bounded length, and each of these sentence by sentence."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What ends a sentence, with the quotes and brackets behind it, and the space after; or a new line.
# It begins where the first mark stands, and gives nothing back: else a text of dots alone would be
# looked through once for each of them.
_MARKS: Final = r"[.!?\u2026\u3002\uff01\uff1f]"
_END: Final = re.compile(rf"(?<!{_MARKS}){_MARKS}++[\"'\u201d\u2019)\]]*+\s++|\n+")
_SPACE: Final = re.compile(r"\s")


def sentences(text: str) -> list[str]:
    """Return the sentences, none of them blank."""
    ends = [0, *[match.end() for match in _END.finditer(text)], len(text)]
    found = [text[begin:end] for begin, end in itertools.pairwise(ends)]
    return [sentence for sentence in found if not sentence.isspace() and sentence]


def parts(text: str, *, chars_max: int) -> list[str]:
    """Return the text in parts of at most `chars_max` characters, together all of it.

    Each ends with a sentence, or with a word where the sentence is too long, or in the middle of
    one. Two in a row are longer than `chars_max`, so there are few of them.
    """
    found = []
    while len(text) > chars_max:
        window = text[:chars_max]
        ends = [match.end() for match in _END.finditer(window)]
        ends = ends or [match.end() for match in _SPACE.finditer(window)]
        cut = ends[-1] if ends else chars_max
        found.append(text[:cut])
        text = text[cut:]
    return [*found, text]


def together(texts: Iterable[str], *, chars_max: int) -> Iterator[list[str]]:
    """Yield all of them in their order, as many at a time as are `chars_max` characters, or one."""
    found: list[str] = []
    chars = 0
    for text in texts:
        chars += len(text)
        if found and chars > chars_max:
            yield found
            found, chars = [], len(text)
        found.append(text)
    if found:
        yield found
