"""A body that is sent slowly comes in its time, so that "slow, and done" is played as well."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.config import load_config
from actors.simulation.stage.client import PIECE_BYTES, SLOW_BODY_S, Client, ClientReply
from actors.simulation.stage.trace import Trace
from tests.simulation.simulated import simulated

BUSY = 503


class Refused(Client):
    """What it says first is refused, and the second time it says it slowly."""

    def __init__(self) -> None:
        machine: Any = None
        super().__init__("client-0", machine, 0, Trace(lambda: 0.0, keep=False), frozenset())
        self.took_s = 0.0

    async def _once(self, *asked: Any, **told: Any) -> ClientReply:
        _, _, data, *_ = asked
        if data is None or isinstance(data, bytes):
            return ClientReply(BUSY)
        begun_s = asyncio.get_running_loop().time()
        text = b"".join([piece async for piece in data])
        self.took_s = asyncio.get_running_loop().time() - begun_s
        return ClientReply(200, text.decode() == f'"{told["said"]}"')


@pytest.mark.parametrize("size", [1, PIECE_BYTES, 3 * PIECE_BYTES, 100 * PIECE_BYTES])
def test_a_slow_body_takes_as_long_whatever_its_size(size: int) -> None:
    """Which is less than the edge gives it; all of it comes."""
    client = Refused()
    assert simulated(client.ask("POST", "/orders", size * "x")) == ClientReply(200, body=True)
    assert client.took_s == pytest.approx(SLOW_BODY_S)
    assert load_config().edge.body_s_max > SLOW_BODY_S
