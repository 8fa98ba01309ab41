"""A full mailbox holds the reader up, and somebody is told."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from actors.errors import MailboxFull
from actors.systems.tweets.messages import GetReader
from actors.systems.tweets.reading.patient_ask import PatientAsk
from tests.simulation.simulated import simulated

ASKED = 5


class Books:
    """Have room for one in a second."""

    async def ask(self, _message: Any) -> float:
        now_s = asyncio.get_running_loop().time()
        if now_s < self.full_until_s:
            raise MailboxFull("reader is full", retry_after_s=1.0)
        self.full_until_s = now_s + 0.5
        return now_s

    full_until_s = 0.0


def test_who_finds_no_room_waits_and_says_so_once_a_spell() -> None:
    """Each is answered in its turn; the next spell is told again."""
    ask = PatientAsk(Books().ask)

    async def spell() -> list[float]:
        found: list[float] = await asyncio.gather(*[ask(GetReader()) for _ in range(ASKED)])
        return found

    async def twice() -> tuple[list[float], list[float]]:
        first = await spell()
        await asyncio.sleep(60)
        return first, await spell()

    with structlog.testing.capture_logs() as logs:
        for found in simulated(twice()):
            assert found == sorted(found)
            assert len(set(found)) == ASKED
    told = [each for each in logs if each["event"] == "reader waits for room"]
    assert [(each["reason"], each["retry_s"]) for each in told] == [("reader is full", 1.0)] * 2
    assert all("mailbox.capacity" in each["advice"] for each in told)
