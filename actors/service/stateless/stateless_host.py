"""The behavior that hosts a replica of a stateless service: its handlers, and its batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from actors.kernel.behavior import Behavior
from actors.kernel.supervision.child_spec import ChildSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.config import ServiceConfig
    from actors.faults.lab.seams import ServiceSeam
    from actors.kernel.behavior import BatchResult
    from actors.kernel.envelope import Envelope
    from actors.service.service import StatelessService
    from actors.service.stateless.runner import Runner
    from actors.tracing.tracing import Tracing


class StatelessHost(Behavior):
    """One incarnation of one replica.

    What it had in hand when it died a sibling answers, or its next incarnation where there is
    none: handlers are pure, so a second run does no harm. A message that has crashed its handler
    stays: it shall not take one replica after the other along.
    """

    redelivers: ClassVar[bool] = True

    def __init__(
        self,
        name: str,
        service: StatelessService,
        runner: Runner,
        tracing: Tracing,
        seam: ServiceSeam,
    ) -> None:
        """`name` is the replica's; `runner` is opened by `on_start`."""
        self._name = name
        self._tracing = tracing
        specs = type(service).handlers.values()
        self._handlers = {spec.message: spec.function.__get__(service) for spec in specs}
        self._own = type(service).handlers
        self._runner = runner
        self._seam = seam

    async def on_start(self) -> None:
        """Make the runner ready."""
        await self._runner.open()

    async def on_batch(self, lane: int, batch: Sequence[Envelope]) -> BatchResult:  # noqa: ARG002 - there is one lane
        """Answer a batch."""
        begun_s = self._tracing.clock.monotonic()
        handlers, faults = self._handlers, self._seam.batches
        if faults is not None:
            handlers = dict(faults.around(batch, handlers, own=self._own, who=self._name))
        answers = await self._runner.answer(batch, handlers)
        self._tracing.answered(self._name, batch, answers.outcomes, begun_s)
        return answers

    async def on_stop(self) -> None:
        """End the runner."""
        await self._runner.close()

    async def on_failure(self, error: BaseException) -> None:
        """Take the runner away from whatever still runs there."""
        del error
        await self._runner.abandon()


def stateless_child(
    name: str,
    make_service: Callable[[], StatelessService],
    make_runner: Callable[[str], Runner],
    *,
    config: ServiceConfig,
    tracing: Tracing,
    seam: ServiceSeam,
) -> Callable[[str], ChildSpec]:
    """Return what makes a replica of the service `name`, by its own name, a supervisor's child."""

    def child(replica: str) -> ChildSpec:
        return ChildSpec(
            name=replica,
            factory=lambda: StatelessHost(
                replica, make_service(), make_runner(replica), tracing, seam
            ),
            kind="service",
            service=name,
            batch_messages_max=config.batch_messages_max,
        )

    return child
