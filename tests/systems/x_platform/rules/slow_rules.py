"""Rules as trees of their own, and what they mean: slowly, by one regular expression a term.

Nothing of it is the product's. It knows no words: it looks for a keyword in the text itself, with a
look at what stands before and behind. Its letters are those of the texts that tests make.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

CJK = "\u3040-\u30ff\u4e00-\u9fff"
LETTER = rf"[^\W_{CJK}]"
EMOJI = "\U0001f355\U0001f680\u2764"
CUT = rf"(?:[^\w{EMOJI}]|_)"


class Post(NamedTuple):
    """A tweet, with all that the terms ask about."""

    text: str
    author: tuple[str, str] = ("1", "ada")  # id, username
    reply_to: tuple[str, str] | None = None
    retweets_of: tuple[str, str] | None = None
    quoted: str | None = None
    lang: str = "en"

    @property
    def texts(self) -> list[str]:
        return [self.text] if self.quoted is None else [self.text, self.quoted]


class Words(NamedTuple):
    """A keyword, or a phrase: words in their order."""

    words: tuple[str, ...]


class Tag(NamedTuple):
    sign: str  # one of # @ $
    body: str


class Op(NamedTuple):
    name: str
    value: str


class Neg(NamedTuple):
    node: Tree


class And(NamedTuple):
    nodes: tuple[Tree, ...]


class Or(NamedTuple):
    nodes: tuple[Tree, ...]


Tree = Words | Tag | Op | Neg | And | Or


def matches(tree: Tree, post: Post) -> bool:
    """Whether the rule matches the tweet."""
    if isinstance(tree, Neg):
        return not matches(tree.node, post)
    if isinstance(tree, And):
        return all(matches(node, post) for node in tree.nodes)
    if isinstance(tree, Or):
        return any(matches(node, post) for node in tree.nodes)
    if isinstance(tree, Words):
        return any(_says(text, tree.words) for text in post.texts)
    if isinstance(tree, Tag):
        return any(_tagged(text, tree) for text in post.texts)
    return _holds(tree, post)


def would_match_nearly_everything(tree: Tree) -> bool:
    """Whether a tweet that has no term of the rule's own, and all else, would match it."""
    if isinstance(tree, Neg):
        return True
    if isinstance(tree, And):
        return all(would_match_nearly_everything(node) for node in tree.nodes)
    if isinstance(tree, Or):
        return any(would_match_nearly_everything(node) for node in tree.nodes)
    return isinstance(tree, Op) and tree.name in {"has", "is", "lang"}


def _says(text: str, words: tuple[str, ...]) -> bool:
    pattern = rf"{CUT}*".join(
        rf"(?<!{LETTER}){re.escape(_folded(word))}(?!{LETTER})"
        if re.match(LETTER, _folded(word))
        else re.escape(_folded(word))
        for word in words
    )
    return re.search(pattern, _folded(text)) is not None


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text.replace("\ufe0f", "")).casefold()


def _tagged(text: str, tag: Tag) -> bool:
    body = re.escape(tag.body)
    pattern = {
        "#": rf"(?<![\w&])#{body}(?!\w)",
        "@": rf"(?<![\w@!#$%&*])@{body}(?![\w@])",
        "$": rf"(?:^|(?<=\s))\${body}(?!\w)",
    }[tag.sign]
    return re.search(pattern, text, re.IGNORECASE) is not None


def _holds(op: Op, post: Post) -> bool:
    name, value = op.name, op.value.lower()
    people = {"from": post.author, "to": post.reply_to, "retweets_of": post.retweets_of}
    if name in people:
        person = people[name]
        return person is not None and value in {person[0], person[1].lower()}
    if name == "lang":
        return post.lang == value
    if name == "is":
        return {
            "reply": post.reply_to is not None,
            "retweet": post.retweets_of is not None,
            "quote": post.quoted is not None,
            "verified": False,
        }[value]
    pattern = {
        "hashtags": r"(?<![\w&])#\d*[a-z_]",
        "mentions": r"(?<![\w@!#$%&*])@[a-z0-9_]{1,15}(?![\w@])",
        "cashtags": r"(?:^|(?<=\s))\$[a-z]{1,6}(?!\w)",
        "links": r"https?://[^\s]",
        "images": r"https?://pic\.(x|twitter)\.com/",
        "media": r"https?://(pic\.(x|twitter)\.com/|(x|twitter)\.com/\w+/status/\d+/video/)",
        "video_link": r"https?://(x|twitter)\.com/\w+/status/\d+/video/",
    }[value]
    return any(re.search(pattern, text, re.IGNORECASE) for text in post.texts)
