"""Text as X's rules see it: a sequence of words, whatever their case.

X compares keywords with the words of a tweet, never with parts of them, and cuts a text at what
Unicode calls punctuation, symbol or separator ("I like coca-cola" is I, like, coca, cola); an emoji
is a word by itself (docs.x.com, "Filtered stream: operators"). Decided here, where X's pages say
nothing:

- Words compare by NFKC and case folding: full-width letters and ligatures are the plain ones,
  `Straße` is `STRASSE`. Accents count, as X says: `résumé` is not `resume`. What cuts is decided
  before that, so that a trade mark sign does not become two letters of the word before it.
- The underscore is punctuation, as Unicode has it.
- Chinese and Japanese are written without spaces, and X cuts them by a dictionary. Here each
  character is a word, as in Lucene's standard tokenizer: a keyword then finds its characters in
  their order.
- Emoji variants are one: the selector of the form does not count, and joiners and skin tones cut.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Letters, marks, numbers: what words are made of, by the first letter of their category.
WORD: Final = frozenset("LMN")
SYMBOL_OTHER: Final = "So"  # emoji, and the likes of (c) and (tm)
VARIANTS: Final = range(0xFE00, 0xFE10)
# Hiragana and katakana, the ideographs, and those of the later planes. Half-width katakana are made
# full-width before: there a voiced letter is two characters.
UNSPACED: Final = (
    range(0x3041, 0x3100),
    range(0x3400, 0x4DC0),
    range(0x4E00, 0xA000),
    range(0xF900, 0xFB00),
    range(0x20000, 0x32000),
)
HALF_WIDTH: Final = re.compile("[\uff66-\uff9f]+")
# Beyond this code point are rare ideographs: not kept, so that texts cannot fill the memory.
KEPT_MAX: Final = 0x20000


class _Cuts(dict[int, str]):
    """What stands for each character before the text is split at spaces; filled as they come."""

    def __missing__(self, code: int) -> str:
        cut = _cut(code)
        if code < KEPT_MAX:
            self[code] = cut
        return cut


def _cut(code: int) -> str:
    character = chr(code)
    category = unicodedata.category(character)
    if code in VARIANTS:
        return ""
    if category == SYMBOL_OTHER:
        return f" {character} "
    if category[0] not in WORD:
        return " "
    if any(code in block for block in UNSPACED) and category[0] == "L":
        return f" {character} "
    return character


_CUTS: Final = _Cuts()


def words(text: str) -> list[str]:
    """Return the text's words in their order, each folded for comparison."""
    if text.isascii():
        return text.translate(_CUTS).lower().split()
    text = HALF_WIDTH.sub(lambda run: unicodedata.normalize("NFKC", run[0]), text)
    cut = unicodedata.normalize("NFC", text).translate(_CUTS)
    return unicodedata.normalize("NFKC", cut).casefold().split()


def begins_word(character: str) -> bool:
    """Whether a word can begin with it."""
    return bool(_CUTS[ord(character)].strip())
