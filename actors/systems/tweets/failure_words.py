"""Words that name a failure: VADER takes "great, it is down again" at its word."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Letters and digits, with apostrophes between; an underscore cuts, so that #fail_again is two.
_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_VOWELS: Final = frozenset("aeiou")


class FailureWords:
    """The configured words and phrases, and whether a text has one of them.

    Whole words, in any case, and their regular forms: `crash` is also crashes, crashed, crashing;
    `lose` is losing, but `lost` is a word by itself. Of a phrase the last word is inflected. Not
    seen are words run together (#TutorialedgeDown), misspelt, in other scripts' letters or in a
    picture, and irony that names nothing.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        """Each entry is a word, or several with spaces between."""
        forms = [form for entry in entries for form in _forms(_words(entry))]
        self._words = frozenset(form for form in forms if " " not in form)
        self._phrases = tuple([form for form in forms if " " in form])

    def found_in(self, text: str) -> str | None:
        """Return the first word of the text that names a failure, or a phrase, if there is one."""
        words = _words(text)
        for word in words:
            if word in self._words:
                return word
        line = f" {' '.join(words)} "
        return next((each for each in self._phrases if f" {each} " in line), None)


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", text).replace("\u2019", "'")
    return _WORD.findall(plain.casefold())


def _forms(words: list[str]) -> Iterator[str]:
    """Return the entry, and with its last word's plural, past and present participle."""
    if not words:
        return
    before, last = " ".join(words[:-1]), words[-1]
    stems = [last]
    if last[-1] == "e":
        stems.append(last[:-1])  # losing
    elif last[-1] not in _VOWELS:
        stems.append(last + last[-1])  # stopped
    endings = ("s", "es", "d", "ed", "ing")
    forms = [last, *[stem + ending for stem in stems for ending in endings]]
    if last[-1] == "y":
        forms += [f"{last[:-1]}ies", f"{last[:-1]}ied"]
    for form in forms:
        yield f"{before} {form}".strip()
