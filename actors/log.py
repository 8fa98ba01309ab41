"""One line a log event, in one format, whoever logs it: structlog, the stdlib, a library."""

from __future__ import annotations

import json
import logging
import re
import textwrap
import threading
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TextIO

import msgspec
import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import EventDict, Processor, WrappedLogger

    from actors.config import LogConfig

# Set by the edge for the span of a request; every line logged within it carries the id. Where the
# request is traced it is what its messages carry, see actors/tracing/trace_context.py.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What would break a line, drive a terminal, reorder the text a person sees, or not encode as UTF-8.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_UNSAFE_IN_TRACEBACK = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_NOT_ASCII = re.compile("[^\x00-\x7f]")

# What a terminal's lines keep to; where their fields begin, and where what does not fit goes on.
WIDTH = 120
EVENT_COLUMNS = 34
INDENT = " " * len("12:34:56.789 warning ")
STYLES = {
    "debug": "\x1b[2m",
    "warning": "\x1b[33m",
    "error": "\x1b[31;1m",
    "critical": "\x1b[31;1m",
    "info": "\x1b[32m",
}
RESET = "\x1b[0m"


def configure_logging(
    config: LogConfig, stream: TextIO, *, is_terminal: bool, now_us: Callable[[], int]
) -> None:
    """Send every log line of the process to `stream`: console on a terminal, else JSON.

    `now_us` gives microseconds since the epoch. `config.format` may force either format. Replaces
    what an earlier call, or anybody else, has set up.
    """
    is_console = config.format == "console" or (config.format == "auto" and is_terminal)
    level = logging.getLevelNamesMapping()[config.level.upper()]
    sink = LineSink(stream)
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        _add_request_id,
        _Timestamp(now_us),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _ConsoleLines(colors=is_terminal) if is_console else _json_line,
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: sink,
        # A cached logger would go on writing to the stream of an earlier configuration.
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_StdlibHandler(sink, processors)]
    root.setLevel(level)
    logging.captureWarnings(capture=True)


def set_level(level: str) -> None:
    """Have another level from now on, of the configuration's names."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(number))
    logging.getLogger().setLevel(number)


class LineSink:
    """Writes whole lines, one at a time. A line that cannot be written is counted, never raised."""

    def __init__(self, stream: TextIO) -> None:
        self.lost_lines = 0
        self._stream = stream
        # Stores log from their own threads.
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        """Write `line` and its end. A full disk or a closed pipe must not crash who logs."""
        with self._lock:
            try:
                try:
                    self._stream.write(line + "\n")
                except UnicodeEncodeError:
                    # Not a UTF-8 stream. These escapes stand only in strings, so JSON stays JSON.
                    self._stream.write(_NOT_ASCII.sub(_escape, line) + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                self.lost_lines += 1

    # structlog calls its logger by the name of the level.
    debug = info = warning = error = critical = write


class _StdlibHandler(logging.Handler):
    """Renders records of the standard library's loggers as structlog's lines."""

    def __init__(self, sink: LineSink, processors: list[Processor]) -> None:
        super().__init__()
        self._sink = sink
        self._processors = processors

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception as error:  # noqa: BLE001 - whatever the arguments' own code raises
            text = f"{record.msg!r} does not take its arguments: {error!r}"
        event: Any = {"event": text, "logger": record.name, "exc_info": record.exc_info}
        for process in self._processors:
            event = process(None, record.levelname.lower(), event)
        self._sink.write(event)


class _Timestamp:
    """Adds ISO 8601 UTC with microseconds, from the clock that it was handed."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        moment = _EPOCH + timedelta(microseconds=self._now_us())
        event["timestamp"] = f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"
        return event


class _ConsoleLines:
    """Renders for people: time, level, event, then what else there is, `WIDTH` columns at most.

    What does not fit goes on below, indented, and so does a mapping, an entry a line. A traceback
    keeps its lines.
    """

    def __init__(self, *, colors: bool) -> None:
        self._styles = STYLES if colors else {}

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> str:
        time, level, text = (event.pop(key, "") for key in ("timestamp", "level", "event"))
        # A crash's traceback was no exception of whoever logs it.
        tails = [event.pop(key, None) for key in ("stack", "exception", "traceback")]
        lists = {key: event.pop(key) for key, value in [*event.items()] if isinstance(value, dict)}
        if "actor" in event:  # what the line is about comes first, and needs no name
            text = f"{text:<14} {_shown(event.pop('actor'))}"
        head = f"{time[11:23]} {level:<7} {_shown(text)}"
        lines = _wrap(head, [f"{_shown(key)}={_shown(value)}" for key, value in event.items()])
        style = self._styles.get(level)
        if style is not None:
            lines[0] = lines[0].replace(f" {level:<7} ", f" {style}{level:<7}{RESET} ", 1)
        for name, entries in lists.items():
            lines += _below(f"{_shown(name)}:")
            for key, value in entries.items():
                lines += _below(f"  {_shown(key):<12} {_shown(value)}")
        lines += [_UNSAFE_IN_TRACEBACK.sub(_escape, str(each)) for each in tails if each]
        return "\n".join(lines)


def _wrap(head: str, words: list[str]) -> list[str]:
    """Put the words behind the head, and where they are too many below it."""
    first, *lines = textwrap.wrap(head, WIDTH, subsequent_indent=INDENT, drop_whitespace=False)
    lines.insert(0, first.ljust(len(INDENT) + EVENT_COLUMNS))
    for word in words:
        if len(lines[-1]) + len(word) < WIDTH:
            lines[-1] += f" {word}"
        else:
            lines += _below(word)
    return [line.rstrip() for line in lines]


def _below(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=INDENT,
        subsequent_indent=INDENT,
        break_on_hyphens=False,
        replace_whitespace=False,
    )


def _shown(value: object) -> str:
    if isinstance(value, list | tuple) and all(isinstance(each, str | int) for each in value):
        return ", ".join(_shown(each) for each in value) or "none"
    return _UNSAFE.sub(_escape, value if isinstance(value, str) else _describe(value))


def _add_request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if (current := request_id.get()) is not None:
        for name, value in ids_of(current).items():
            event.setdefault(name, value)
    return event


def ids_of(trace: str | None) -> dict[str, str | None]:
    """Return the ids by which lines about a message are found: its request's and its trace's."""
    request, _, context = (trace or "").partition(" ")
    ids: dict[str, str | None] = {"request_id": request or None}
    if context:
        ids["trace_id"] = context.partition("-")[0]
    return ids


def _json_line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """Render as JSON; a value that JSON cannot hold is rendered as its `repr`."""
    line = {key: event.pop(key, None) for key in ("timestamp", "level", "event")}
    line.update(event)
    try:
        text = msgspec.json.encode(line, enc_hook=_describe).decode()
    except Exception:  # noqa: BLE001 - lone surrogates, cycles, keys that are no strings, ...
        plain = {_UNSAFE.sub(_escape, str(key)): _plain(value) for key, value in line.items()}
        text = msgspec.json.encode(plain).decode()
    # Legal inside JSON, but some readers end a line at U+0085 or U+2028.
    return text if text.isascii() else _UNSAFE.sub(_escape, text)


def _plain(value: object) -> object:
    if value is None or isinstance(value, int | float):
        return value
    # Newlines of a traceback are JSON's to escape.
    text = value if isinstance(value, str) else _describe(value)
    return _UNSAFE_IN_TRACEBACK.sub(_escape, text)


def _describe(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - a broken __repr__ must not lose the line
        return f"<{type(value).__name__} whose repr raised {type(error).__name__}>"


def _escape(match: re.Match[str]) -> str:
    return json.dumps(match.group())[1:-1]
