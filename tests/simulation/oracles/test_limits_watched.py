"""Limits that an oracle holds somebody to: messages under way, and attempts that ask a breaker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from actors.config import load_config
from actors.kernel.envelope import Envelope
from actors.simulation.oracles.channel_oracle import ChannelOracle
from actors.simulation.oracles.deadline_oracle import ExpiryOracle
from actors.simulation.oracles.effect_oracle import EffectLimits, EffectOracle
from actors.simulation.oracles.handled import Content
from actors.simulation.oracles.outside.retry_oracle import RetryOracle
from actors.simulation.oracles.past import Past
from actors.simulation.oracles.standstills import Standstills
from actors.simulation.oracles.timer_oracle import Set
from actors.store.messaging.origin import ChannelOrigin
from actors.systems.tweets.messages import ListTweets

if TYPE_CHECKING:
    from collections.abc import Sequence

WHAT = ListTweets(limit=1)


def test_no_more_is_under_way_than_its_channel_has_a_window_for() -> None:
    """Counted from what was applied: one beyond that is told, the last within is not."""
    past = Past(applied={("desk", "mill"): 6}, sent={}, waiting={}, timers={})
    oracle = ChannelOracle(
        past, times=ExpiryOracle(past, ()), kept_max=1, untaken_max=100, window_max=2
    )

    def given(number: int) -> Sequence[str]:
        origin = ChannelOrigin("desk", "file", number, base=7, last=9)
        return list(oracle.given("mill", [Envelope(WHAT, origin=origin)]))

    assert given(8) == []
    (trouble,) = given(9)
    assert "number 9 when 6 was the last one applied" in trouble


async def test_as_many_ask_whether_it_is_back_as_its_breaker_lets_in() -> None:
    """Of those that begin when it has been open, each is told that is one too many."""
    config = load_config()
    breaker = config.breaker
    oracle = EffectOracle(
        config.effect, breaker, Standstills(), ExpiryOracle(Past(), ()), RetryOracle(config.effect)
    )
    oracle.limits["desk", "ListTweets"] = EffectLimits(60.0, 100, running_max=64, slow_s=0.0)
    asked = {1: Set(0, Content.of(WHAT))}

    async def attempt(now_s: float) -> list[str]:
        return list(oracle.attempted("desk", [WHAT], now_s, asked))

    async def fail(now_s: float) -> None:
        await attempt(now_s)
        assert not list(oracle.finished("desk", [WHAT], now_s, (), ValueError("no")))

    for _ in range(breaker.calls_min):
        await asyncio.create_task(fail(1.0))
    back_s = 1.0 + breaker.open_s
    probes = [await asyncio.create_task(attempt(back_s)) for _ in range(breaker.probes_max + 1)]
    assert probes[:-1] == [[]] * breaker.probes_max
    (trouble,) = probes[-1]
    assert "at once ask whether it is back" in trouble
