"""All services of a system, wired: what a composition root, a test and a simulation share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from actors.errors import LetterNotReplayable, NoSuchLetter, ServiceUnavailable, StoreError
from actors.kernel.child_spec import SupervisorSpec
from actors.kernel.system import ActorSystem
from actors.service.directory import Directory
from actors.service.hosting import Hosting
from actors.store.store import StoreSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from actors.config import Config, StoreConfig
    from actors.kernel.clock import Clock
    from actors.kernel.context import KernelContext
    from actors.kernel.rng import Rng
    from actors.service.channel import ChannelStats
    from actors.service.hosting import TimerStats
    from actors.service.letters import Replayed
    from actors.service.service import Service
    from actors.store.store import Store

    class StoreType(Protocol):
        """Makes a store that is not open yet."""

        def __call__(
            self, spec: StoreSpec, config: StoreConfig, *, clock: Clock, rng: Rng
        ) -> Store: ...


class ServiceSystem(ActorSystem):
    """A tree of services, each with a store of its own, that send each other durable messages."""

    def __init__(
        self,
        services: Mapping[str, Callable[[], Service]],
        *,
        config: Config,
        data_dir: Path,
        context: KernelContext,
        store: StoreType,
    ) -> None:
        """`services` makes a fresh instance of each by name; `store` is what they remember in."""
        directory = Directory({name: type(service()) for name, service in services.items()})
        self._hostings = {
            name: _host(
                name,
                service,
                directory=directory,
                config=config,
                data_dir=data_dir,
                context=context,
                store=store,
            )
            for name, service in services.items()
        }
        self._deadline_s = config.edge.deadline_s
        super().__init__(
            SupervisorSpec(
                name="root",
                children=tuple([hosting.child() for hosting in self._hostings.values()]),
            ),
            context=context,
            mailbox=config.mailbox,
            supervisor=config.supervisor,
            letter_sources=[hosting.dead_letters for hosting in self._hostings.values()],
        )
        directory.connect(self.router)

    async def channels(self) -> list[ChannelStats]:
        """Return every channel that has been used, by sender; those of services that are up."""
        return [each for hosting in self._hostings.values() for each in await hosting.channels()]

    async def timers(self) -> Sequence[TimerStats]:
        """Return how the timers and effects of every service stand that is up."""
        found = [await hosting.timers() for hosting in self._hostings.values()]
        return [each for each in found if each is not None]

    async def replay(self, letter_id: str) -> Replayed:
        """Run a dead letter's message again. Raises NoSuchLetter, LetterNotReplayable, and more.

        Where the message crashes its handler again, DeadLettered; and what an ask raises.
        """
        if self.context.dead_letters.holds(letter_id):
            message = f"{letter_id} is kept in memory as text only; it can be discarded"
            raise LetterNotReplayable(message)
        hosting = await self._holder(letter_id)
        return await hosting.replay(letter_id, timeout_s=self._deadline_s)

    async def discard(self, letter_id: str) -> None:
        """Forget a dead letter. Raises NoSuchLetter, and what an ask raises."""
        if not self.context.dead_letters.discard(letter_id):
            hosting = await self._holder(letter_id)
            await hosting.discard(letter_id, timeout_s=self._deadline_s)

    async def _holder(self, letter_id: str) -> Hosting:
        unknown: Exception | None = None
        for hosting in self._hostings.values():
            try:
                if await hosting.holds_letter(letter_id):
                    return hosting
            except (StoreError, ServiceUnavailable) as error:  # it may be another's all the same
                unknown = error
        if unknown is not None:
            raise unknown
        message = f"there is no dead letter {letter_id}; look at /admin/dead-letters"
        raise NoSuchLetter(message)


def _host(
    name: str,
    service: Callable[[], Service],
    *,
    directory: Directory,
    config: Config,
    data_dir: Path,
    context: KernelContext,
    store: StoreType,
) -> Hosting:
    spec = StoreSpec(
        name=name,
        path=data_dir / f"{name}.db",
        migrations=service().schema,
        attempts_max=config.service.attempts_max,
        handler_s_max=config.service.handler_s_max,
        dead_letters_max=config.service.dead_letters_max,
        peers=directory.peers,
    )
    rng = context.rng.fork(name)

    def make_store() -> Any:
        return store(spec, config.store, clock=context.clock, rng=rng.fork("store"))

    return Hosting(
        name,
        service,
        make_store,
        directory=directory,
        config=config,
        clock=context.clock,
        rng=rng,
    )
