from __future__ import annotations

import io
import json
import logging
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from actors.config import LogConfig
from actors.log import LineSink, configure_logging, request_id

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW_US = 1_700_000_000_123_456
HOSTILE = "a\nb\r\x00\x1b[2J\x7f\x85\u2028\u202e\ud800\N{GRINNING FACE}"

pytestmark = pytest.mark.usefixtures("global_logging_restored")


@pytest.fixture(scope="module")
def global_logging_restored() -> Iterator[None]:
    """Logging is global to the process: put back what pytest had set up."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def configured(*, level: Any = "info", fmt: Any = "auto", is_terminal: bool = False) -> io.StringIO:
    """Configure logging and return the stream it writes to."""
    stream = io.StringIO()
    config = LogConfig(level=level, format=fmt)
    configure_logging(config, stream, is_terminal=is_terminal, now_us=lambda: NOW_US)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Parse what was logged; each line must be JSON on its own, by anybody's idea of a line."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_where_no_terminal() -> None:
    """A line is one JSON object: the time handed in, the level, the event, then the rest."""
    stream = configured()
    structlog.get_logger().info("ready", listeners={"gateway": "127.0.0.1:9000"})
    (line,) = lines(stream)
    assert list(line) == ["timestamp", "level", "event", "listeners"]
    assert line["timestamp"] == "2023-11-14T22:13:20.123456Z"
    assert (line["level"], line["event"]) == ("info", "ready")
    assert line["listeners"] == {"gateway": "127.0.0.1:9000"}


@pytest.mark.parametrize(
    ("fmt", "is_terminal", "has_json", "has_colors"),
    [
        ("auto", True, False, True),
        ("auto", False, True, False),
        ("json", True, True, False),
        ("console", False, False, False),
    ],
)
def test_format(fmt: str, is_terminal: bool, has_json: bool, has_colors: bool) -> None:
    """`auto` follows the terminal; a format that is named wins; colours are for terminals."""
    stream = configured(fmt=fmt, is_terminal=is_terminal)
    structlog.get_logger().warning("parked", service="room")
    text = stream.getvalue()
    assert text.startswith("{") == has_json
    assert ("\x1b[" in text) == has_colors
    assert "parked" in text
    assert "room" in text


def test_level_filters_both_kinds_of_logger() -> None:
    """What is below the level is not written, by structlog or by the standard library."""
    stream = configured(level="warning")
    structlog.get_logger().info("no")
    logging.getLogger("aiohttp.server").info("no")
    structlog.get_logger().warning("yes")
    logging.getLogger("aiohttp.server").warning("yes")
    assert [line["event"] for line in lines(stream)] == ["yes", "yes"]


def test_request_id_is_on_every_line_of_its_request() -> None:
    """Within a request every line carries its id; outside none does."""
    stream = configured()
    token = request_id.set("r-1")
    structlog.get_logger().info("inside")
    logging.getLogger("aiohttp.server").error("inside too")
    request_id.reset(token)
    structlog.get_logger().info("outside")
    assert [line.get("request_id") for line in lines(stream)] == ["r-1", "r-1", None]


def test_stdlib_records_are_lines_like_any_other() -> None:
    """A library's record has time, level, logger and its formatted message."""
    stream = configured()
    logging.getLogger("pykka").error("actor %s died", "room")
    (line,) = lines(stream)
    assert line == {
        "timestamp": "2023-11-14T22:13:20.123456Z",
        "level": "error",
        "event": "actor room died",
        "logger": "pykka",
    }


def test_stdlib_record_with_wrong_arguments() -> None:
    """A record that cannot be formatted is still a line, and nothing goes to stderr."""
    stream = configured()
    logging.getLogger("pykka").error("no %d number", "x")
    (line,) = lines(stream)
    assert "no %d number" in line["event"]


def test_warnings_are_lines() -> None:
    """`warnings.warn` goes the same way."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        stream = configured()
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    (line,) = lines(stream)
    assert line["logger"] == "py.warnings"
    assert "old" in line["event"]


@pytest.mark.parametrize("is_stdlib", [False, True])
def test_exception_is_one_line(is_stdlib: bool) -> None:
    """A traceback is text in the field `exception`, whatever the exception says."""
    stream = configured()
    try:
        raise ValueError(HOSTILE)  # noqa: TRY301 - the traceback is what is tested
    except ValueError:
        if is_stdlib:
            logging.getLogger("aiohttp.server").exception("failed")
        else:
            structlog.get_logger().exception("failed")
    (line,) = lines(stream)
    assert line["level"] == "error"
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert "ValueError" in line["exception"]


def test_hostile_text_stays_on_its_line() -> None:
    """Control characters and lone surrogates neither break a line nor lose it."""
    stream = configured()
    structlog.get_logger().info(HOSTILE, path=HOSTILE, nested=[HOSTILE], **{HOSTILE: 1})
    (line,) = lines(stream)
    assert "GRINNING" not in line["path"]
    assert line["path"].startswith("a")
    stream.getvalue().encode()


@given(
    st.text(st.characters()),
    st.dictionaries(st.text(), st.none() | st.floats() | st.binary() | st.lists(st.text())),
)
def test_any_text_is_one_json_line(text: str, rest: dict[str, Any]) -> None:
    """Whatever is logged, a line is a line and parses, and UTF-8 can hold it."""
    stream = configured()
    rest.pop("event", None)
    structlog.get_logger().info("it", text=text, rest=rest)
    (line,) = lines(stream)
    assert line["event"] == "it"
    stream.getvalue().encode()


def test_hostile_text_does_not_drive_a_terminal() -> None:
    """On the console, too, what a client sent is printed and not obeyed, and begins no line."""
    stream = configured(fmt="console")
    structlog.get_logger().info(HOSTILE, path=HOSTILE, nested=[HOSTILE], of={HOSTILE: HOSTILE})
    text = stream.getvalue()
    assert [line for line in text.splitlines()[1:] if not line.startswith("  ")] == []
    assert "\x1b" not in text
    text.encode()


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_value_that_cannot_be_rendered(fmt: str) -> None:
    """A value that JSON cannot hold is its repr, or says that it has none."""
    cycle: list[Any] = []
    cycle.append(cycle)
    stream = configured(fmt=fmt)
    structlog.get_logger().info(
        "odd", a=object(), b=Broken(), c=cycle, d={(1, 2): 3}, e=float("nan")
    )
    text = stream.getvalue()
    assert "odd" in text
    assert "<object object at" in text
    assert "Broken whose repr raised RuntimeError" in text


def test_a_terminal_s_lines_fit_120_columns() -> None:
    """Long fields go on below, indented; a mapping is an entry a line, and no Python."""
    stream = configured(fmt="console")
    listeners = {"gateway": "http://127.0.0.1:9000", "tweets": "http://127.0.0.1:10000"}
    reason = (
        "the stream broke, and with it a sentence that is longer than any terminal is wide; " * 3
    )
    structlog.get_logger().info("ready", pid=7, listeners=listeners, unhealthy=[])
    structlog.get_logger().warning("crashed", actor="booking", error=reason, path="/" + "x" * 300)
    structlog.get_logger().info("e" * 150, of={"k" * 200: "v" * 300}, **{"a\nb": 1})
    structlog.get_logger().info("odd tails", traceback={"a": 1}, stack=[5], actor="a" * 150)
    *written, _ = stream.getvalue().split("\n")
    assert written[:4] == [
        "22:13:20.123 info    ready                              pid=7 unhealthy=none",
        "                     listeners:",
        "                       gateway      http://127.0.0.1:9000",
        "                       tweets       http://127.0.0.1:10000",
    ]
    assert written[4].startswith("22:13:20.123 warning crashed        booking")
    assert max(map(len, written)) <= 120
    assert "".join(written).count("x") == 300
    assert "".join(written).count("v") >= 300
    assert [line for line in written if not line.startswith(("22:13:20", " ", "[5]", "{"))] == []


def test_stream_that_is_not_utf8() -> None:
    """JSON to an ASCII stream is escaped, and still the same JSON."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    config = LogConfig(level="info", format="json")
    configure_logging(config, stream, is_terminal=False, now_us=lambda: NOW_US)
    structlog.get_logger().info("caf\xe9 \N{GRINNING FACE}")
    assert json.loads(raw.getvalue())["event"] == "caf\xe9 \N{GRINNING FACE}"


def test_log_that_cannot_be_written_crashes_nobody() -> None:
    """A closed pipe costs the line, which is counted, and not the actor that logged it."""
    stream = io.StringIO()
    sink = LineSink(stream)
    stream.close()
    sink.write("lost")
    assert sink.lost_lines == 1


def test_a_crash_s_traceback_can_be_read_on_a_terminal() -> None:
    """Its lines are lines on a console, as an exception's; in JSON it stays one text."""
    text = "Traceback (most recent call last):\n  File x\nBoom: y"
    stream = configured(fmt="console")
    structlog.get_logger().warning("crashed", traceback=text)
    assert text in stream.getvalue()
    stream = configured()
    structlog.get_logger().warning("crashed", traceback=text)
    assert [line["traceback"] for line in lines(stream)] == [text]
