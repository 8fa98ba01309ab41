"""In which language a text is: X's codes, and a guess at them from script and common words.

The guess is good enough for `lang:` rules over what people at the keyboard write here; X's own is a
trained classifier. `und` is what neither can tell, `zxx` a text without words.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from actors.systems.x_platform.entities import links, mentions
from actors.systems.x_platform.rules.words import words

UNDETERMINED: Final = "und"
NO_WORDS: Final = "zxx"

# X, "Filtered stream: operators", lang; the last are X's own, such as for tweets of links alone.
_CODES: Final = (
    "am ar bg bn bo bs ca ckb cs cy da de dv el en es et eu fa fi fr gu he hi hi-latn hr ht hu hy"
    " id in is it iw ja ka km kn ko lo lt lv ml mr my ne nl no or pa pl ps pt ro ru sd si sk sl sr"
    " sv ta te th tl tr ug uk ur vi zh zh-cn zh-tw art qam qct qht qme qst und zxx"
)
LANGUAGES: Final = frozenset(_CODES.split())

# By the first word of a letter's Unicode name.
_SCRIPTS: Final = {
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "HANGUL": "ko",
    "CYRILLIC": "ru",
    "GREEK": "el",
    "ARABIC": "ar",
    "HEBREW": "iw",
    "DEVANAGARI": "hi",
    "THAI": "th",
    "CJK": "zh",
}
_COMMON: Final = {
    "en": "the and is are was you this that with for it of not have my i we they what just thanks",
    "es": "el la los las es que de y con para por una no pero muy gracias está lo mi hoy",
    "fr": "le la les est et une des pour avec pas mais très merci je vous dans ce que qui c",
    "de": "der die das und ist nicht ein eine mit für ich wir aber sehr danke auf zu es auch",
    "pt": "o os as é e que de com para uma não mas muito obrigado está eu hoje isso meu em",
    "it": "il lo gli è e che di con per una non ma molto grazie sono questo mi oggi la in",
    "nl": "de het een en is niet met voor ik wij maar heel bedankt op van dat dit zijn ook te",
}
_WORDS: Final = {lang: frozenset(text.split()) for lang, text in _COMMON.items()}


def guess_language(text: str) -> str:
    """Return one of LANGUAGES."""
    for link in links(text):
        text = text.replace(link, " ")
    named = set(mentions(text))
    found = [word for word in words(text) if word[0].isalpha() and word not in named]
    if not found:
        return NO_WORDS
    scripts = [_script(word) for word in found]
    if "ja" in scripts:  # its ideographs alone would be Chinese
        return "ja"
    foreign = [script for script in scripts if script is not None]
    if foreign:
        return max(sorted(set(foreign)), key=foreign.count)
    counts = {lang: sum(word in common for word in found) for lang, common in _WORDS.items()}
    best = max(counts, key=lambda lang: counts[lang])
    return best if counts[best] else UNDETERMINED


def _script(word: str) -> str | None:
    name = unicodedata.name(word[0], "").partition(" ")[0]
    return _SCRIPTS.get(name)
