"""Mistakes of what `/metrics` counts and shows, each to be found by its oracle."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import msgspec

from actors.kernel.supervision.restart_counts import RestartCounts
from actors.service.gate import Gate
from actors.service.operator_calls import OperatorCalls
from http_edge.metrics.request_counts import NOWHERE, RequestCounts
from http_edge.metrics.shed_counts import ShedCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from contextlib import AbstractContextManager

note = RequestCounts.note
items = RequestCounts.items
succeeded = Gate.succeeded
measured = OperatorCalls.measured
note_shed = ShedCounts.note


def _only_reads(self: RequestCounts, handler: Any, method: str, status: str, took_s: float) -> None:
    if method in {"GET", "HEAD"}:
        note(self, handler, method, status, took_s)


def _twice(self: RequestCounts, handler: Any, method: str, status: str, took_s: float) -> None:
    for _ in range(2):
        note(self, handler, method, status, took_s)


def _as_done(self: RequestCounts, handler: Hashable, method: str, status: str, s: float) -> None:
    note(self, handler, method, "200" if status == "201" else status, s)


def _at_no_address(self: RequestCounts) -> Iterator[Any]:
    for _, *rest in items(self):
        yield NOWHERE, *rest


def _begins_anew(self: RequestCounts) -> Iterator[Any]:
    yield from [*items(self)]
    self._counts.clear()


def _succeeded_unless_repeated(self: Gate, *how: Any) -> None:
    succeeded(self, *how)
    self._counts.attempts["succeeded"] = min(1, self._counts.attempts["succeeded"])


async def _one_letter_more(self: OperatorCalls, limit_s: float) -> Any:
    shown = await measured(self, limit_s)
    letters = None if shown.letters is None else shown.letters + 1
    return msgspec.structs.replace(shown, letters=letters)


async def _all_wait(self: OperatorCalls, limit_s: float) -> Any:
    shown = await measured(self, limit_s)
    channels = [msgspec.structs.replace(each, messages=1) for each in shown.channels]
    return msgspec.structs.replace(shown, channels=channels)


@contextmanager
def _no_room() -> Iterator[None]:
    """Two of a kind are one too many, and nobody counts who is turned away."""
    with patch.object(ShedCounts, "note", lambda *_: None):
        yield


# What is wrong: what the oracle has to say, the system and faults it is looked for in, how.
METRICS: dict[str, tuple[str, str, str, Callable[[], AbstractContextManager[Any]]]] = {
    "what changes something is not counted": (
        "POST /jobs was answered 201", "workshop", "calm",
        lambda: patch.object(RequestCounts, "note", _only_reads),
    ),
    "a request counts twice": (
        "and sent", "workshop", "calm", lambda: patch.object(RequestCounts, "note", _twice),
    ),
    "what is created is counted as what is done": (
        "was answered 201", "hotel", "calm", lambda: patch.object(RequestCounts, "note", _as_done),
    ),
    "no request has an address": (
        "POST /jobs was answered 201", "workshop", "calm",
        lambda: patch.object(RequestCounts, "items", _at_no_address),
    ),
    "a look at the numbers begins them anew": (
        "was", "workshop", "calm", lambda: patch.object(RequestCounts, "items", _begins_anew),
    ),
    "of an effect the first success alone is counted": (
        "has succeeded", "workshop", "calm",
        lambda: patch.object(Gate, "succeeded", _succeeded_unless_repeated),
    ),
    "a dead letter is shown that is none": (
        "dead letters, and has", "workshop", "calm",
        lambda: patch.object(OperatorCalls, "measured", _one_letter_more),
    ),
    "what was applied is said to wait": (
        "are said to wait at rest", "workshop", "calm",
        lambda: patch.object(OperatorCalls, "measured", _all_wait),
    ),
    "no restart is counted": (
        "was restarted", "workshop", "kills",
        lambda: patch.object(RestartCounts, "hear", lambda *_: None),
    ),
    "nobody counts who is turned away": (
        "were turned away for", "workshop", "network", _no_room,
    ),
}  # fmt: skip
