"""`break`, `mend` and `faults`: what they ask of the process that uses the folder, and say."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from actors.command_line import main
from actors.fault_commands import time_s
from tests.http_edge.serving import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

from contextlib import asynccontextmanager


class Terminal:
    """Types commands about a folder whose process serves."""

    def __init__(self, data_dir: Path, capsys: pytest.CaptureFixture[str], served: Any) -> None:
        self._data_dir = data_dir
        self._capsys = capsys
        self.served = served

    async def types(self, *words: str) -> tuple[int, str]:
        """Return the exit code, and what was said."""
        code = await asyncio.to_thread(main, [*words, "--data-dir", str(self._data_dir)])
        told = self._capsys.readouterr()
        return code, told.out + told.err

    async def orders(self) -> list[dict[str, Any]]:
        """Return what is on, as it was ordered, but for who has."""
        items = (await self.served.admin("GET", "/admin/faults")).json["items"]
        return [{k: v for k, v in each["order"].items() if k != "by"} for each in items]


@asynccontextmanager
async def at_a_terminal(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Terminal]:
    with capture_logs():
        async with serving() as served:
            address = served.addresses["gateway"]
            (data_dir / "lock").write_text(f"{os.getpid()}\nthe system\n{address}\n")
            (data_dir / "admin.token").write_text(served.token)
            yield Terminal(data_dir, capsys, served)


@pytest.mark.parametrize(
    ("words", "order"),
    [
        (
            "room latency 200ms --for 30s --percent 20",
            {"kind": "latency", "service": "room", "latency_ms": 200.0, "percent": 20.0,
             "for_s": 30.0},
        ),
        (
            "room latency 1.5s --jitter 20ms --distribution pareto --of commits --seed 7",
            {"kind": "latency", "service": "room", "latency_ms": 1500.0, "jitter_ms": 20.0,
             "distribution": "pareto", "of": "commits", "seed": 7},
        ),
        (
            "/api/v1/rooms abort 418 --body tea --answer-header X-Why:fun --header X-Guest",
            {"kind": "abort", "route": "/api/v1/rooms", "status": 418, "body": "tea",
             "headers": {"X-Why": "fun"}, "header": "X-Guest"},
        ),
        (
            "room partition --from booking --both-ways",
            {"kind": "partition", "service": "room", "sender": "booking", "both_ways": True},
        ),
        (
            "room error --message HoldRoom --when after --first 2 --every 3 --after 4",
            {"kind": "error", "service": "room", "message_type": "HoldRoom", "when": "after",
             "first": 2, "every": 3, "after": 4},
        ),
        (
            "room kill --period 2s --replica room",
            {"kind": "kill", "service": "room", "period_s": 2.0, "replica": "room"},
        ),
    ],
)  # fmt: skip
async def test_what_is_typed_is_ordered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, order: dict[str, Any]
) -> None:
    async with at_a_terminal(tmp_path, capsys) as terminal:
        code, said = await terminal.types("break", *words.split())
        assert (code, await terminal.orders()) == (0, [order]), said
        assert said.startswith("f1: ")
        assert f"mend f1 --data-dir {tmp_path} ends it" in said


async def test_faults_are_listed_and_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one there is, one of several by its id, or all; and the lever."""
    async with at_a_terminal(tmp_path, capsys) as terminal:
        types = terminal.types
        assert await types("mend") == (0, "no fault is on\n")
        await types("break", "room", "error")
        code, said = await types("mend")
        assert code == 0
        assert said == "f1 is over: error of handlers at room; it has struck 0 of 0 that came by\n"
        await types("break", "room", "error")
        await types("break", "room", "drop", "--percent", "5")
        code, said = await types("faults")
        assert (code, said.splitlines()[1].partition(";")[0]) == (
            0,
            "f3: drop of messages at room 5 %",
        )
        assert await types("mend") == (
            2,
            "dress-rehearsal: which of f2, f3? Name one, or --all\n",
        )
        assert (await types("mend", "f2"))[0] == 0
        code, said = await types("mend", "f2")
        assert code == 2
        assert "says no (404): no fault 'f2' is active; there are: f3" in said
        assert (await types("mend", "--all"))[1].startswith("f3 is over")
        await types("break", "room", "error")
        code, said = await types("faults", "--stop")
        assert "faults --release" in said
        assert "none begins" in (await types("faults"))[1]
        code, said = await types("break", "room", "error")
        assert code == 2
        assert "faults are stopped" in said
        assert await types("faults", "--release") == (0, "faults may begin again\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("break room latency", "latency_ms: latency needs it"),
        ("break room latency soon", "write 200ms, 30s or 5m"),
        ("break room abort 503", "abort is done to a route"),
        ("break x error", "no service is called 'x'; there are"),
        ("break room burn", "kind: Invalid enum value"),
        ("break /api/v1/rooms abort 503 --answer-header X", '"NAME: VALUE"'),
        ("mend f1 --all", "name one, or --all"),
    ],
)
async def test_what_makes_no_sense_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, says: str
) -> None:
    """By whoever knows it, with 2: nothing is touched."""
    async with at_a_terminal(tmp_path, capsys) as terminal:
        code, said = await terminal.types(*words.split())
        assert (code, await terminal.orders()) == (2, [])
        assert says in said


def test_a_folder_that_nobody_uses_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what to do."""
    assert main(["faults", "--data-dir", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert f"no process uses {tmp_path}" in said
    assert "--data-dir" in said


def test_times_are_written_with_their_unit() -> None:
    assert [time_s(each) for each in ("200ms", "30s", "1.5m", "1h")] == [0.2, 30.0, 90.0, 3600.0]
