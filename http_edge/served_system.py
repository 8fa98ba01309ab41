"""What the edge asks of the kernel, so that HTTP can be tested without one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from pathlib import Path

    from actors.faults.lab.fault_lab import FaultLab
    from actors.kernel.clock import Clock
    from actors.kernel.messages import Message
    from actors.kernel.rng import Rng
    from actors.measures.measured import Measured
    from actors.resilience.breaker import Forced
    from actors.tracing.tracing import Tracing


class Handling(Protocol):
    """What takes which messages, whether it runs or not."""

    def handles(self, service: str, message_type: type[Message], /) -> bool:
        """Whether the service has a handler for it. Raises NoSuchActor."""
        ...

    def reply_type(self, service: str, message_type: type[Message], /) -> Any:
        """Return what its handler is typed to reply, Refusal aside; Any where nobody knows."""
        ...


class ServedSystem(Handling, Protocol):
    """The part of `actors.kernel.actor_system.ActorSystem` that the edge uses."""

    @property
    def clock(self) -> Clock: ...

    @property
    def rng(self) -> Rng: ...

    @property
    def tracing(self) -> Tracing: ...

    @property
    def faults(self) -> FaultLab: ...

    def ask(
        self, service: str, message: Message, *, timeout_s: float, key: str | None = None
    ) -> Awaitable[Any]:
        """End in the reply, a Refusal or an error of `actors.errors`, by `timeout_s` seconds.

        Or in Accepted, where the service put its answer off and `timeout_s` came first.
        """
        ...

    def shards(self, service: str, /) -> Sequence[str]:
        """The names of the service's shards; none of one that is not sharded."""
        ...

    def shard_of(self, service: str, message: Message, key: str | None, /) -> str | None:
        """The shard of a sharded service to which the ask would go; None of any, or all."""
        ...

    def actors(self) -> Sequence[object]:
        """One frozen struct an actor, in tree order."""
        ...

    def registry_snapshot(self) -> Sequence[object]:
        """One frozen struct a service, with its replicas."""
        ...

    def registry_version(self) -> int:
        """How many changes there have been of what `registry_snapshot` shows."""
        ...

    async def registry_changed(self, after: int, wait_s: float, /) -> object:
        """Wait until the version is another than `after`, for at most so many seconds.

        Raises ActorStopped where the system ends first.
        """
        ...

    async def scale(self, service: str, replicas: int, /) -> int:
        """Have so many replicas of the service; returns how many there were.

        Raises NoSuchActor, NotScalable, ServiceUnavailable.
        """
        ...

    async def restart_in_turn(self, service: str | None, /) -> Sequence[str]:
        """Restart the replicas of one service, or of all, one after another; returns their names.

        Raises NoSuchActor, NotRestarted, ActorStopped.
        """
        ...

    async def dead_letters(self, *, limit: int) -> Sequence[object]:
        """At most `limit` dead letters."""
        ...

    async def channels(self) -> Sequence[object]:
        """One frozen struct a channel, of a sender and its receiver."""
        ...

    async def timers(self) -> Sequence[object]:
        """One frozen struct a service, with its timers and effects."""
        ...

    async def measured(self, *, look_s_max: float) -> Measured:
        """What was counted; what a store does not say in `look_s_max` seconds is left out."""
        ...

    async def trace(self, trace_id: str, /, *, spans_max: int) -> object | None:
        """One frozen struct: what is known of the trace, its first spans; or None."""
        ...

    async def slowest_requests(self, limit: int, /) -> object:
        """One frozen struct: the traced requests whose clients waited longest."""
        ...

    def background(self) -> object:
        """One frozen struct: whether what nobody waits for gives way, and what waits."""
        ...

    def breakers(self) -> Sequence[object]:
        """One frozen struct a breaker."""
        ...

    def breaker(self, name: str, /) -> object:
        """One frozen struct. Raises NoSuchBreaker."""
        ...

    def force_breaker(self, name: str, forced: Forced | None, /) -> object:
        """Have it open or closed until None lifts that. Returns as `breaker` does, and raises."""
        ...

    async def let_messages_go(self, sender: str, receiver: str, message_type: str, /) -> None:
        """Have messages of this type that the receiver cannot read become its dead letters.

        Raises NoSuchActor, NothingWaits, LettersFull, ServiceUnavailable.
        """
        ...

    async def let_timers_go(self, service: str, message_type: str, /) -> int:
        """Make dead letters of timers of this type that the service cannot read; return how many.

        Raises NoSuchActor, NothingWaits, LettersFull, or what `ask` raises.
        """
        ...

    def committed(self, service: str, /) -> Awaitable[None]:
        """Return what ends at the service's next commit, counted from this call on.

        Take it before the query whose emptiness makes you wait. It may end for nothing, and costs
        nothing where it is not awaited. Raises NoSuchActor; awaited, ActorStopped where the system
        stops first.
        """
        ...

    async def backup(self, target: Path, /) -> object:
        """Write all files of one moment into a new folder; returns a frozen struct.

        Raises BackupRefused, and StoreError where a file turns out to be damaged.
        """
        ...

    async def replay(self, letter_id: str, /) -> object:
        """Run a dead letter's message again and forget the letter; returns a frozen struct.

        Raises NoSuchLetter, LetterNotReplayable, or what `ask` raises: then the letter stays.
        """
        ...

    async def discard(self, letter_id: str, /) -> object:
        """Forget a dead letter. Raises NoSuchLetter."""
        ...

    # An operator's four. NoSuchActor, or another ActorError where the operation makes no sense.

    def kill(self, name: str, /) -> object: ...

    def restart(self, name: str, /) -> object: ...

    def suspend(self, name: str, for_s: float | None, /) -> object:
        """Until it is resumed, or for so many seconds."""
        ...

    def resume(self, name: str, /) -> object: ...

    def left_behind(self, service: str, /) -> int:
        """How many requests the service has put off that have no answer, and no client waits."""
        ...

    def unhealthy(self) -> Sequence[str]:
        """Names of the services that are not up."""
        ...

    def state_of(self, service: str, /) -> str:
        """What state the service is in."""
        ...
