"""What a service does by itself: one incarnation's `run`, from its start to its end."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from actors.errors import ActorError, ActorStopped
from actors.kernel.envelope import Envelope
from actors.kernel.future import AsyncioFuture
from actors.kernel.ref import waiting_path
from actors.log import request_id
from actors.service.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.kernel.messages import Message
    from actors.service.directory import Directory


class Background:
    """Runs `service.run` as a task that the incarnation owns; its crash is the incarnation's."""

    def __init__(
        self,
        name: str,
        service: Service,
        *,
        directory: Directory,
        failed: Callable[[BaseException], None],
    ) -> None:
        """`failed` ends the incarnation. A service without a `run` of its own has no task."""
        self._name = name
        self._service = service
        self._directory = directory
        self._failed = failed
        self._task: asyncio.Task[None] | None = None
        self._asked: set[AsyncioFuture[Any]] = set()
        self._closed = False

    def start(self) -> None:
        """Let `run` begin, at the loop's next turn."""
        if type(self._service).run is Service.run or self._closed:
            return
        self._service.ask = self._ask
        context = copy_context()
        # Whoever had the incarnation started does not wait for what it does from now on.
        context.run(waiting_path.set, ())
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._service.run(), context=context)
        self._task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Cancel `run` and wait until it is over, however long that takes."""
        self._closed = True
        if self._asked:
            # Not handled yet, and nobody is left to hear of it: a service that is suspended would
            # collect them anew with each of its incarnations.
            self._directory.withdraw(self._name, self)
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        for future in list(self._asked):  # of tasks that `run` has left behind
            future.settle_error(self._over())

    # --- Inside ------------------------------------------------------------------------------

    async def _ask(self, message: Message) -> Any:
        if self._closed:
            raise self._over()
        future = _Asked(self)
        self._asked.add(future)
        future.when_ended(lambda: self._asked.discard(future))
        envelope = Envelope(message, future, trace=request_id.get())
        try:
            self._directory.ask(self._name, envelope)
        except ActorError as error:
            future.settle_error(error)
        return await future

    def _over(self) -> ActorStopped:
        return ActorStopped(f"this incarnation of {self._name} is over, and so is its run")

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = asyncio.CancelledError("cancelled itself") if task.cancelled() else task.exception()
        # A service that is being stopped still handles what is queued, and takes nothing more: to
        # be told so is an end, and must not cost the others their answers.
        if error is not None and not self._closed and not isinstance(error, ActorStopped):
            self._failed(error)


class _Asked(AsyncioFuture[Any]):
    """The future of an ask of `keeper`'s, for the mailbox to know it by."""

    def __init__(self, keeper: Background) -> None:
        super().__init__()
        self.keeper = keeper
