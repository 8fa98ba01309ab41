"""Words that name a failure: VADER takes "great, it is down again" at its word."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# Letters and digits, with apostrophes between; an underscore cuts, so that #fail_again is two.
_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_VOWELS: Final = frozenset("aeiou")


class FailureWords:
    """The configured words and phrases, and whether a text has one of them.

    Whole words, in any case, and their regular forms: `crash` is also crashes, crashed, crashing;
    `lose` is losing, but `lost` is a word by itself. Not seen are words run together
    (#TutorialedgeDown), misspelt, in other scripts' letters or in a picture, and irony that names
    nothing.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        """Each entry is a word, or several with spaces between."""
        # By each form of an entry's first word, the forms of those that are to follow.
        self._follows: dict[str, list[tuple[frozenset[str], ...]]] = {}
        for entry in entries:
            first, *rest = [_forms(word) for word in _words(entry)]
            for form in first:
                self._follows.setdefault(form, []).append(tuple(rest))

    def found_in(self, text: str) -> str | None:
        """Return the first words of the text that name a failure, if there are any."""
        words = _words(text)
        for place, word in enumerate(words):
            for rest in self._follows.get(word, ()):
                next_words = words[place + 1 : place + 1 + len(rest)]
                if len(next_words) == len(rest) and all(map(_is_in, next_words, rest)):
                    return " ".join((word, *next_words))
        return None


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", text).replace("\u2019", "'")
    return _WORD.findall(plain.casefold())


def _is_in(word: str, forms: frozenset[str]) -> bool:
    return word in forms


def _forms(word: str) -> frozenset[str]:
    """Return the word with its plural, past and present participle, as far as they are regular."""
    stems = [word]
    if word[-1] == "e":
        stems.append(word[:-1])  # losing
    elif word[-1] not in _VOWELS:
        stems.append(word + word[-1])  # stopped
    endings = ("s", "es", "d", "ed", "ing")
    forms = {word, *[stem + ending for stem in stems for ending in endings]}
    if word[-1] == "y":
        forms |= {f"{word[:-1]}ies", f"{word[:-1]}ied"}
    return frozenset(forms)
