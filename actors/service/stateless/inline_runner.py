"""Runs a stateless service's handlers on the caller's own thread: for simulations and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.service.stateless.runner import answer_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.kernel.behavior import BatchResult
    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope
    from actors.kernel.rng import Rng
    from actors.service.stateless.runner import Handlers, RunnerSpec


class InlineRunner:
    """Calls them in place. They have no budget: nothing could interrupt them."""

    def __init__(self, spec: RunnerSpec, *, clock: Clock, rng: Rng) -> None:
        """No chance is needed."""
        del rng
        self._clock = clock
        self._spec = spec
        self._abandoned = False

    async def open(self) -> None:
        """Nothing is to be made ready."""

    async def answer(self, batch: Sequence[Envelope], handlers: Handlers) -> BatchResult:
        """Run a batch of queries."""
        return answer_batch(
            self._spec,
            batch,
            handlers,
            clock=self._clock,
            run=_run,
            abandoned=lambda: self._abandoned,
        )

    async def close(self) -> None:
        """Nothing is held."""

    async def abandon(self) -> None:
        """Let nothing more run."""
        self._abandoned = True


def _run(_index: int, handler: Callable[[Any], Any], message: Any) -> Any:
    return handler(message)
