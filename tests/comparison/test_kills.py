"""What docs/COMPARISON.md says of three programs that are killed is what is seen of them.

    python -m pytest tests/comparison -m "long or not long"

Ours always; the others in `make test-long` alone: DBOS where `make bench` has installed it;
Restate where its server and its package are:
`npm install -g @restatedev/restate-server`, `pip install restate_sdk hypercorn`.
"""

from __future__ import annotations

import importlib.util
import shutil
import signal
import threading
from http.client import HTTPException
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.comparison.dying import (
    BEFORE_THE_REPLY,
    IN_THE_EFFECT,
    IN_THE_TRANSACTION,
    POINTS,
    VICTIM,
)
from tests.comparison.programs import WAIT_S_MAX, Dbos, Ours, Program, Restate, within

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

CONFIRMED = ["confirmed"]


class Seen(NamedTuple):
    """What came of one order whose program was killed once."""

    client: str | None  # what its client was told in the end: None where the connection broke
    ended_by_itself: bool  # before anybody asked again
    charges: int  # what the world outside did


class Client:
    """Asks once, in a thread of its own, and keeps what it was told."""

    def __init__(self, program: Program) -> None:
        self.told: str | None = None
        self._program = program
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        try:
            self.told = self._program.place("key-1")
        except (OSError, HTTPException):
            return

    def done(self) -> str | None:
        self._thread.join(WAIT_S_MAX)
        return self.told


def killed(program: Program) -> Seen:
    """Have an order placed that kills the program; start it again, and ask again."""
    try:
        process = program.start()
        client = Client(program)
        assert process.wait(WAIT_S_MAX) == -signal.SIGKILL
        program.start()
        told = client.done()
        alone = within(WAIT_S_MAX, lambda: program.states() == CONFIRMED or program.rests())
        alone = alone and program.states() == CONFIRMED
        assert program.place("key-1") == "confirmed"
        assert program.states() == CONFIRMED
        return Seen(told, alone, program.charges)
    finally:
        program.stop()


@pytest.mark.parametrize(
    "point",
    [
        pytest.param(each, marks=[] if each == IN_THE_EFFECT else pytest.mark.long)
        for each in POINTS
    ],
)
def test_ours(tmp_path: Path, point: str) -> None:
    """What was not committed has not happened; what was goes on; asked again, it is done once."""
    seen = killed(Ours(tmp_path, point))
    assert seen == Seen(None, point != IN_THE_TRANSACTION, 2 if point == IN_THE_EFFECT else 1)


@pytest.mark.long
@pytest.mark.skipif(importlib.util.find_spec("dbos") is None, reason="make bench installs it")
@pytest.mark.parametrize("point", POINTS)
def test_dbos(tmp_path: Path, point: str) -> None:
    """A workflow's input is stored first: whatever it died in, it goes on by itself."""
    seen = killed(Dbos(tmp_path, point))
    assert seen == Seen(None, ended_by_itself=True, charges=2 if point == IN_THE_EFFECT else 1)


needs_restate = pytest.mark.skipif(
    shutil.which("restate-server") is None or importlib.util.find_spec("restate") is None,
    reason="npm and pip install it, see above",
)


@pytest.mark.long
@needs_restate
@pytest.mark.parametrize("point", POINTS)
def test_restate(tmp_path: Path, point: str) -> None:
    """Its server keeps the client and asks the handlers again: the client notices nothing."""
    seen = killed(Restate(tmp_path, point))
    assert seen == Seen(
        "confirmed", ended_by_itself=True, charges=2 if point == IN_THE_EFFECT else 1
    )


@pytest.mark.long
@needs_restate
@pytest.mark.parametrize("point", POINTS)
def test_restates_server(tmp_path: Path, point: str) -> None:
    """Killed itself, it goes on from its log: what is not in it, an effect that ran, runs again."""
    program = Restate(tmp_path, point)
    try:
        program.start()
        assert program.server is not None
        (tmp_path / VICTIM).write_text(str(program.server.pid))
        client = Client(program)
        assert program.server.wait(WAIT_S_MAX) == -signal.SIGKILL
        assert client.done() is None
        program.start_server()
        assert within(WAIT_S_MAX, lambda: program.states() == CONFIRMED)
        assert program.place("key-1") == "confirmed"
        # The handlers live on: what they charge before they are asked again, they charge again.
        charges = {BEFORE_THE_REPLY: {1}, IN_THE_EFFECT: {2}}.get(point, {1, 2})
        assert program.charges in charges
    finally:
        program.stop()
