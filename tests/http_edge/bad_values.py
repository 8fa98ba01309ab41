"""Values that do not fit a type, as JSON and as text in an address; the rows are `bad_input`'s."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

# Each differs in one respect from ISO 8601's extended form of a day there is.
NO_DATES = (
    "",
    "tomorrow",
    "2023-02-30",
    "2100-02-29",
    "2031-13-01",
    "2031-00-01",
    "0000-01-01",
    "10000-01-01",
    "-2031-05-01",
    "2031-5-1",
    "20310501",
    "2031/05/01",
    "01.05.2031",
    "2031-W18-4",
    "2031-05-01T00:00:00",
    "2031-05-01T24:00:00Z",
    "2031-05-01 ",
    "2031-05-01Z",
    "\u0662\u0660\u0663\u0661-05-01",
    "1935446400",
    "null",
)

NUL = "\x00"
LONE = "\ud800"
# One of each kind that no line of text may hold: the last three turn directions.
CONTROLS = {
    "a line break": "\r\n",
    "an escape": "\x1b",
    "a DEL": "\x7f",
    "a NEL": "\x85",
    "a line separator": "\u2028",
    "an embedding": "\u202a",
    "an override": "\u202e",
    "an isolate": "\u2066",
}
# What may be longer is a text of several lines.
LINE_CHARS_MAX = 254


def bad_values(kind: Any, *, go: bool) -> Iterator[tuple[str, int, object]]:
    wrong = 400 if go else 422
    yield "a list", wrong, []
    yield "a truth", wrong, True
    if isinstance(kind, msgspec.inspect.StrType):
        yield from _bad_strings(kind, wrong)
    if isinstance(kind, msgspec.inspect.LiteralType):
        yield "a number", wrong, 7
        yield "an object", wrong, {}
        yield "none of its values", 422, "surprise"
        yield "with a NUL", 422, f"a{NUL}b"
        yield "with half a pair", 422, f"a{LONE}"
    if isinstance(kind, msgspec.inspect.DateType):
        yield from _bad_dates(wrong)
    if isinstance(kind, msgspec.inspect.IntType):
        yield "a string", wrong, "1"
        yield "a fraction", wrong, 1.5
        yield "enormous", 422, 10**400
        yield "infinite", 422, "@@1e999"
        if kind.ge is not None:
            yield "too small", 422, kind.ge - 1
        if kind.le is not None:
            yield "too large", 422, kind.le + 1


def _bad_strings(kind: msgspec.inspect.StrType, wrong: int) -> Iterator[tuple[str, int, object]]:
    yield "a number", wrong, 7
    yield "an object", wrong, {}
    yield "with a NUL", 422, f"a{NUL}b"
    yield "with half a pair", 422, f"a{LONE}"
    if (kind.max_length or 0) <= LINE_CHARS_MAX:
        for label, character in CONTROLS.items():
            yield f"with {label}", 422, f"a{character}b"
    if kind.max_length is not None:
        yield "too long", 422, "x" * (kind.max_length + 1)
    if kind.min_length:
        yield "too short", 422, ""
    if kind.pattern is not None:
        yield "outside its pattern", 422, " "


def _bad_dates(wrong: int) -> Iterator[tuple[str, int, object]]:
    yield "a number", wrong, 1_675_382_400
    yield "a fraction", wrong, 1.5
    yield "an object", wrong, {}
    yield "infinite", 422, "@@1e999"
    yield "with a NUL", 422, f"2031-05-01{NUL}"
    yield "with half a pair", 422, f"2031-05-01{LONE}"
    for text in NO_DATES:
        yield f"{text!r}", 422, text


def bad_texts(name: str, kind: Any) -> Iterator[tuple[str, int, str]]:
    yield "with a broken escape", 400, "a%"
    yield "with a NUL", 422, "a%00b"
    yield "not UTF-8", 400, "%ff"
    yield "with half a pair", 400, "%ed%a0%80"
    yield from _bad_texts_of(kind)
    if name == "limit":
        yield "0", 422, "0"
        yield "above the largest page", 422, "201"


def _bad_texts_of(kind: Any) -> Iterator[tuple[str, int, str]]:
    texts: tuple[str, ...] = ()
    match kind:
        case msgspec.inspect.StrType():
            # A longer address is refused as such, before anybody looks at its parts.
            if kind.max_length is not None and kind.max_length < 8000:
                yield "too long", 422, "x" * (kind.max_length + 1)
            texts = ("",) if kind.min_length else ()
            if kind.pattern is not None:
                yield "outside its pattern", 422, "%20"
            if kind.max_length is not None and kind.max_length <= LINE_CHARS_MAX:
                for label, character in CONTROLS.items():
                    yield f"with {label}", 422, quote(f"a{character}b")
        case msgspec.inspect.LiteralType():
            texts = ("", "surprise", "null")
        case msgspec.inspect.DateType():
            texts = NO_DATES
        case msgspec.inspect.IntType():
            texts = ("", "-1", "1.0", "1e2", "0x1", "01", "\u0663", "9" * 19, "9" * 400, "null")
    for text in texts:
        yield f"{text[:20]!r} {len(text)}", 422, quote(text)
