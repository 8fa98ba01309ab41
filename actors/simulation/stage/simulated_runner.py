"""A stateless service's handlers in a simulation: in place, at a simulated cost."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from actors.kernel.messages import type_name, type_of
from actors.service.stateless.inline_runner import InlineRunner
from actors.simulation.stage.disk import COST_S_MAX
from actors.simulation.stage.simulated_store import KILL_S_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.kernel.behavior import BatchResult
    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope
    from actors.kernel.rng import Rng
    from actors.service.stateless.runner import Answer, Handlers, RunnerSpec
    from actors.simulation.stage.disk import Disk, Phase


class SimulatedRunner(InlineRunner):
    """Takes its time before a batch and after it: a kill can come at either moment."""

    def __init__(self, spec: RunnerSpec, *, clock: Clock, rng: Rng, disk: Disk) -> None:
        """`disk` is the machine's, for what it tells of crash points."""
        super().__init__(spec, clock=clock, rng=rng)
        self._name = spec.name
        self._costs = rng.fork("costs")
        self._disk = disk

    async def answer(self, batch: Sequence[Envelope], handlers: Handlers) -> BatchResult:
        """Run a batch of queries, a little later."""
        types = [type_name(type_of(envelope.message)) for envelope in batch]
        await asyncio.sleep(self._costs.uniform(0.0, COST_S_MAX))
        await self._pass(types, "before")
        faults = self._disk.handlers
        if faults:
            delays_s = [
                faults.delay_s(self._name, each, self._spec.handler_s_max) for each in types
            ]
            await asyncio.sleep(sum(delays_s))
            handlers = {each: self._struck(each, handlers[each]) for each in handlers}
        result = await super().answer(batch, handlers)
        for name, envelope, outcome in zip(types, batch, result.outcomes, strict=False):
            self._disk.trace.add("query", self._name, name, (envelope.message, outcome))
        await asyncio.sleep(self._costs.uniform(0.0, COST_S_MAX))
        await self._pass(types, "after")
        return result

    def _struck(self, message_type: Any, handler: Answer) -> Answer:
        """Return the handler as it is while something may be wrong with it."""
        strike, name = self._disk.handlers.strike, type_name(message_type)

        def answer(message: Any) -> Any:
            strike(self._name, name, "before", message)
            answered = handler(message)
            strike(self._name, name, "after", message)
            return answered

        return answer

    async def _pass(self, types: Sequence[str], phase: Phase) -> None:
        passes = self._disk.passes
        if passes is not None and not self._abandoned:
            struck = [passes(self._name, name, phase) for name in dict.fromkeys(types)]
            if any(struck):
                await asyncio.sleep(KILL_S_MAX)  # cancelled by the kill


def runners_on(disk: Disk) -> Any:
    """Return what ServiceSystem makes its runners with."""
    return partial(SimulatedRunner, disk=disk)
