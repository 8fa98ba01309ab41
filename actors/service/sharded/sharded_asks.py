"""What is asked of a sharded service goes to the shard of its key, or to all of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from actors.errors import ActorCrashed
from actors.kernel.future import AsyncioFuture
from actors.kernel.messages import Command, Refusal
from actors.log import request_id

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping, Sequence

    from actors.kernel.discovery.sharding import Sharding
    from actors.kernel.router import Router
    from actors.service.sharded.merging import Merging

log = structlog.get_logger()


class ShardedAsks:
    """Asks one service's shards. Belongs to the loop's thread."""

    def __init__(
        self,
        sharding: Sharding,
        merging: Mapping[Any, Merging],
        router: Router,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """`merging` is by query."""
        self._sharding = sharding
        self._names = sharding.names()
        self._merging = merging
        self._router = router
        self._loop = loop
        self._turn = 0

    def place_of(self, message: Any, key: str | None = None) -> str | None:
        """Return the name of the shard that is meant; None where it is any, or all of them.

        What makes its key itself goes by the request's, so that a retry finds what was made.
        """
        own = self._sharding.key_of(message)
        if own is None and isinstance(message, Command):
            own = key
        return None if own is None else self._sharding.place(own)

    def ask(self, message: Any, *, timeout_s: float, key: str | None = None) -> AsyncioFuture[Any]:
        """As ActorSystem.ask. Of all shards each has to answer: else it ends in the first error."""
        place = self.place_of(message, key)
        if place is None and isinstance(message, Command):
            place = self._next()
        if place is not None:
            return self._ask(place, message, timeout_s=timeout_s, key=key)
        whole: AsyncioFuture[Any] = AsyncioFuture(self._loop)
        merging = self._merging.get(type(message))
        # What the service has no handler for, any shard says.
        questions = [message] if merging is None else merging.questions(message)
        if isinstance(questions, Refusal):
            whole.settle(questions)
            return whole
        parts = [
            self._ask(name, question, timeout_s=timeout_s)
            for name, question in zip(self._names, questions, strict=False)
        ]
        left = len(parts)

        def heard(part: AsyncioFuture[Any]) -> None:
            nonlocal left
            left -= 1
            try:
                part.get()
            except Exception as error:  # noqa: BLE001 - whatever the shard's ask has ended in
                whole.settle_error(error)
                return
            if not left and not whole.ended:
                self._settle(whole, message, merging, [each.get() for each in parts])

        for part in parts:
            part.when_ended(partial(heard, part))
        return whole

    # --- Inside ------------------------------------------------------------------------------

    def _next(self) -> str:
        """Return the next shard that is well; where none is, the one whose turn it would be."""
        count = len(self._names)
        self._turn += 1
        turns = [self._names[(self._turn + each) % count] for each in range(count)]
        chosen = next((name for name in turns if self._router.is_well(name)), turns[0])
        self._turn += turns.index(chosen)
        return chosen

    def _settle(
        self,
        whole: AsyncioFuture[Any],
        message: Any,
        merging: Merging | None,
        answers: Sequence[Any],
    ) -> None:
        try:
            whole.settle(answers[0] if merging is None else merging.merged(message, answers))
        except Exception as error:  # an author's function, or items that cannot be sorted
            log.exception("answers not merged", service=self._sharding.service)
            text = f"the answers of {self._sharding.service}'s shards cannot be merged: {error}"
            whole.settle_error(ActorCrashed(text))

    def _ask(
        self, name: str, message: Any, *, timeout_s: float, key: str | None = None
    ) -> AsyncioFuture[Any]:
        reply: AsyncioFuture[Any] = self._router.at(name).ask(
            message, block=False, timeout=timeout_s, key=key, trace=request_id.get()
        )
        return reply
