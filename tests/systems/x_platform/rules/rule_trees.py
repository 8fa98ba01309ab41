"""Rules, as trees and as people write them, and tweets that they may match."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.systems.x_platform.rules.slow_rules import And, Neg, Op, Or, Post, Tag, Tree, Words

# Few, so that they meet; each as the rule and the tweet may write it.
VOCABULARY = (
    ("cat", "CAT", "Cat", "\uff43at"),
    ("cola",),
    ("coca",),
    ("straße", "STRASSE"),
    ("café", "CAFÉ", "cafe\u0301"),
    ("cafe",),
    ("ﬁx", "fix"),
    ("42",),
    ("猫",),
    ("好",),
    ("カ", "\uff76"),
    ("\U0001f355",),
    ("\u2764", "\u2764\ufe0f"),
)
PEOPLE = (("1", "ada"), ("22", "Bob"), ("333", "eve_1"))
TAGS = (("#", "cat"), ("#", "Day1"), ("@", "ada"), ("@", "BOB"), ("$", "abc"), ("$", "X"))
LINKS = (
    "https://example.com/cat/42",
    "http://pic.x.com/abc",
    "https://x.com/ada/status/1/video/1",
)
BETWEEN = (" ", "-", ", ", "! ", "\n", "_", "'", "", " \u2026 ", "/", ". ", " (", ") ")

spelled = st.sampled_from(VOCABULARY).flatmap(st.sampled_from)
tags = st.sampled_from(TAGS).map(lambda pair: Tag(*pair))
operators = st.one_of(
    st.builds(
        Op,
        st.sampled_from(["from", "to", "retweets_of"]),
        st.sampled_from([each for person in PEOPLE for each in person]),
    ),
    st.builds(
        Op,
        st.just("has"),
        st.sampled_from(
            ["hashtags", "mentions", "cashtags", "links", "images", "media", "video_link"]
        ),
    ),
    st.builds(Op, st.just("is"), st.sampled_from(["reply", "retweet", "quote", "verified"])),
    st.builds(Op, st.just("lang"), st.sampled_from(["en", "de", "und"])),
)
terms: st.SearchStrategy[Tree] = st.one_of(
    st.builds(Words, st.tuples(spelled)),
    st.builds(Words, st.lists(spelled, min_size=2, max_size=3).map(tuple)),
    tags,
    operators,
)
trees: st.SearchStrategy[Tree] = st.recursive(
    terms,
    lambda inner: st.one_of(
        inner.map(Neg),
        st.lists(inner, min_size=2, max_size=3).map(lambda nodes: And(tuple(nodes))),
        st.lists(inner, min_size=2, max_size=3).map(lambda nodes: Or(tuple(nodes))),
    ),
    max_leaves=10,
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Words, tags and links, with anything between, or nothing."""
    pieces = st.one_of(
        spelled,
        st.sampled_from(TAGS).map("".join),
        st.sampled_from(LINKS),
        st.sampled_from(("catalogue", "x", "dog")),
    )
    text = ""
    for piece in draw(st.lists(pieces, max_size=8)):
        # A link ends at a space; what follows it directly is its own.
        text += piece + (" " if piece in LINKS else draw(st.sampled_from(BETWEEN)))
    return text


maybe_person = st.none() | st.sampled_from(PEOPLE)
posts = st.builds(
    Post,
    texts(),
    author=st.sampled_from(PEOPLE),
    reply_to=maybe_person,
    retweets_of=maybe_person,
    quoted=st.none() | texts(),
    lang=st.sampled_from(["en", "de", "und"]),
)


class Pen:
    """Writes a rule as somebody may: more or fewer parentheses, quotes and spaces."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def write(self, node: Tree, *, within: str = "") -> str:
        if isinstance(node, Neg):
            text, needed = f"-{self.write(node.node, within='-')}", False
        elif isinstance(node, And):
            text = self.space(1).join(self.write(each, within="and") for each in node.nodes)
            needed = within == "-"
        elif isinstance(node, Or):
            join = f"{self.space(1)}OR{self.space(1)}"
            text = join.join(self.write(each, within="or") for each in node.nodes)
            needed = within in {"-", "and"}
        else:
            text, needed = self.write_term(node), False
        if needed or self.now_and_then():
            text = f"({self.space(0)}{text}{self.space(0)})"
        return text

    def write_term(self, node: Words | Tag | Op) -> str:
        if isinstance(node, Tag):
            return node.sign + node.body
        if isinstance(node, Op):
            name = node.name.upper() if self.now_and_then() else node.name
            return f'{name}:"{node.value}"' if self.now_and_then() else f"{name}:{node.value}"
        if len(node.words) == 1 and not self.now_and_then():
            return node.words[0]
        return '"' + self._draw(st.sampled_from([" ", "-", ", "])).join(node.words) + '"'

    def space(self, least: int) -> str:
        return " " * self._draw(st.integers(least, least + 1))

    def now_and_then(self) -> bool:
        return self._draw(st.integers(0, 4)) == 4


@st.composite
def written(draw: st.DrawFn, tree: Tree) -> str:
    """Return the rule's text."""
    pen = Pen(draw)
    return f"{pen.space(0)}{pen.write(tree)}{pen.space(0)}"
