"""Services with effects, and the world outside that they reach: it answers as the test wants."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from actors.kernel.messages import Command, GaveUp, Refusal
from actors.service.service import command, effect, on
from actors.store.transaction import Transaction
from tests.service.desks import Desk, Do, Note, SteppingClock, note
from tests.store.ledger import Mishap

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Answer = Callable[[str, int], Awaitable[Any]]

# The breaker stays out of it but where it is what is tested.
NO_BREAKER = ("breaker.window_calls=1000000", "breaker.calls_min=1000000")


def opens_after(failures: int) -> tuple[str, str]:
    """Return the settings by which a breaker opens after so many failures in a row."""
    return f"breaker.window_calls={failures}", f"breaker.calls_min={failures}"


class Call(Command):
    label: str


class Called(Command):
    label: str


class Mail(Command):
    label: str


class World:
    """The world outside: it knows who called, and answers as the test wants."""

    def __init__(self, clock: SteppingClock, answer: Answer | None = None) -> None:
        self.answer = answer or at_once
        self.at_s: defaultdict[str, list[float]] = defaultdict(list)
        self.running = self.running_most = self.cancelled = 0
        self.crashes = False
        self._clock = clock

    @property
    def calls(self) -> dict[str, int]:
        """How often each was called."""
        return {label: len(times) for label, times in self.at_s.items()}

    async def call(self, label: str) -> Any:
        self.at_s[label].append(self._clock.monotonic())
        self.running += 1
        self.running_most = max(self.running_most, self.running)
        try:
            return await self.answer(label, len(self.at_s[label]))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1


async def at_once(label: str, _attempt: int) -> Called:
    return Called(label=label)


async def never(_label: str, _attempt: int) -> Any:
    await asyncio.get_running_loop().create_future()


async def failing(label: str, attempt: int) -> Any:
    raise ConnectionError(f"{label} {attempt}")


def ask_for(tx: Transaction, cmd: Do) -> Any:
    """Ask for a list of effects, and have notes written."""
    for message in cmd.what:
        if isinstance(message, Note):
            tx.after(0.0, message)
        else:
            tx.run(message)


class Caller(Desk):
    """Does not listen to GaveUp."""

    def __init__(self, world: World, do: Any = ask_for) -> None:
        super().__init__(do)
        self.world = world

    @effect
    async def call(self, cmd: Call) -> Called | None:
        outcome: Called | None = await self.world.call(cmd.label)
        return outcome

    @command
    def called(self, tx: Transaction, cmd: Called) -> Refusal | None:
        note(tx, cmd.label)
        if cmd.label.startswith("crash"):
            raise Mishap(cmd.label)
        if cmd.label.startswith("refuse"):
            return Refusal.conflict("no")
        return None

    @effect
    async def mail(self, cmd: Mail) -> None:
        await self.world.call(cmd.label)


class Listener(Caller):
    @on(GaveUp[Call])
    def gave_up(self, tx: Transaction, event: GaveUp[Call]) -> None:
        note(tx, f"gave up {event.command.label}: {event.reason}")


def calls(*labels: str) -> Do:
    return Do(what=[Call(label=label) for label in labels])
