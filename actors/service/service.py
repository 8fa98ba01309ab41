"""A service: handlers over a transaction and a schema. No HTTP, no threads, no asyncio."""

from __future__ import annotations

import sys
import typing
from inspect import iscoroutinefunction
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from actors.kernel.messages import Command, EffectOutcome, GaveUp, outcome_type, type_name
from actors.service.caching.cache_options import CacheOptions
from actors.service.effect_options import EffectOptions
from actors.service.handler_spec import at_line_of, members, read_handlers, read_stateless_handlers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from actors.kernel.messages import Message
    from actors.service.handler_spec import HandlerSpec
    from actors.store.messaging.service_catalog import Start
    from actors.store.transaction import Transaction

    Ask = Callable[[Message], Awaitable[Any]]

F = TypeVar("F", bound="Callable[..., Any]")
C = TypeVar("C", bound=Command)
V = TypeVar("V")

if TYPE_CHECKING:
    Applies = Callable[[Any, Transaction, C, V], None]


def command(function: F) -> F:
    """Mark `(self, tx: Transaction, message) -> reply | Refusal` as the message's write handler.

    Synchronous, pure SQL and arithmetic; time, ids and chance come from `tx` only.
    """
    function.__handles__ = "command"  # type: ignore[attr-defined]
    return function


@overload
def query(function: F, /) -> F: ...


@overload
def query(
    *, cache_s: float, by: str | None = None, forget: Sequence[Any] = ()
) -> Callable[[F], F]: ...


def query(
    function: F | None = None,
    /,
    *,
    cache_s: float | None = None,
    by: str | None = None,
    forget: Sequence[Any] = (),
) -> F | Callable[[F], F]:
    """Mark `(self, tx: ReadTransaction, message) -> reply | Refusal` as a read handler.

    With `cache_s` its answers are kept for so many seconds, and forgotten before anyone can see a
    commit that changes a row of this service. With `forget`, only by a command that publishes one
    of these events, is one of them, or changes rows and has no event at all; and with `by`, a field
    of the query's, only those answers for which it is what the event's field of that name says.
    Who is given an answer that is kept must not change it: it is everybody's.
    """

    def mark(function: F) -> F:
        function.__handles__ = "query"  # type: ignore[attr-defined]
        if cache_s is not None or by is not None or forget:
            function.__cache__ = CacheOptions(  # type: ignore[attr-defined]
                cache_s=cache_s, by=by, forget=forget
            )
        return function

    return mark if function is None else mark(function)


def on(event: Any, *, start: Start = "now") -> Callable[[F], F]:
    """Mark `(self, tx: Transaction, event) -> None` as a command handler fed by the event bus.

    A subscriber that is new hears of what is published from now on or, with `start="beginning"`,
    of what every publisher has kept (store.events_kept_max) as well. `on(Refused[SomeCommand])`,
    `on(Expired[SomeCommand])` and `on(GaveUp[SomeCommand])` hear of what became of this service's
    own commands and effects.
    """

    def mark(function: F) -> F:
        function.__handles__ = "event"  # type: ignore[attr-defined]
        function.__event__ = event  # type: ignore[attr-defined]
        function.__start__ = start  # type: ignore[attr-defined]
        return function

    return mark


@overload
def effect(function: F, /) -> F: ...


@overload
def effect(
    *,
    limit_s: float | Callable[[Any], float] | None = None,
    attempts_max: int | Callable[[Any], int] | None = None,
    again_s: float | Callable[[Any], float] | None = None,
    together_max: int | Callable[[Any], int] | None = None,
    running_max: int | Callable[[Any], int] | None = None,
    slow_s: float | Callable[[Any], float] | None = None,
) -> Callable[[F], F]: ...


def effect(
    function: F | None = None,
    /,
    *,
    limit_s: float | Callable[[Any], float] | None = None,
    attempts_max: int | Callable[[Any], int] | None = None,
    again_s: float | Callable[[Any], float] | None = None,
    together_max: int | Callable[[Any], int] | None = None,
    running_max: int | Callable[[Any], int] | None = None,
    slow_s: float | Callable[[Any], float] | None = None,
) -> F | Callable[[F], F]:
    """Mark `async (self, message) -> outcome` as what a command does to the outside world.

    It runs after the commit that asked for it (`tx.run`), with a breaker: at least once, so it must
    be idempotent by a key in the message. Raising is a failed attempt, and so is to take longer
    than `limit_s`; there are `attempts_max`, and as many as the configuration says without it. Then
    it gives up (see `on`) or, with `again_s`, begins anew after so long, for as long as it takes
    or until its time is up (`tx.run(…, by_us=…)`). `running_max` attempts run at once, and an
    answer that took `slow_s` counts as a failure to its breaker.
    Each is a number or a function of the service: `again_s=lambda self: self._config.retry_s`. What
    the configuration says of the effect by name goes before it.

    What it returns goes to the `outcome` handler. Without one it is a command of this service, or
    None. Either is applied once, in the transaction that marks the effect done.

    Typed `async (self, messages: list[SomeCommand]) -> list[Outcome]`, it is given all that were
    asked for together, `together_max` at most, in one attempt, and returns an outcome for each, in
    their order (or None, where there are none). Where that fails, each is tried alone.
    """

    def mark(function: F) -> F:
        function.__handles__ = "effect"  # type: ignore[attr-defined]
        function.__options__ = EffectOptions(  # type: ignore[attr-defined]
            limit_s=limit_s,
            attempts_max=attempts_max,
            again_s=again_s,
            together_max=together_max,
            running_max=running_max,
            slow_s=slow_s,
        )
        return function

    return mark if function is None else mark(function)


@overload
def outcome(
    of: Callable[[Any, list[C]], Coroutine[Any, Any, list[V]]],
) -> Callable[[Applies[C, V]], Applies[C, V]]: ...


@overload
def outcome(
    of: Callable[[Any, C], Coroutine[Any, Any, V]],
) -> Callable[[Applies[C, V]], Applies[C, V]]: ...


def outcome(of: Callable[[Any, Any], Coroutine[Any, Any, Any]]) -> Callable[[F], F]:
    """Mark `(self, tx: Transaction, message, outcome) -> None` as what comes of that effect.

    It is given the effect's message and what the effect has returned, of a list for that message.
    """

    def mark(function: F) -> F:
        function.__handles__ = "outcome"  # type: ignore[attr-defined]
        function.__outcome_of__ = of  # type: ignore[attr-defined]
        return function

    return mark


class Service:
    """Subclass it, say its `schema`, and write handlers.

    A schema is SQL, or the Path of one `.sql` file or of a folder of them, numbered 0001_NAME.sql
    and on; a relative one begins beside the class's own file. SQL and one file are number 1 of a
    folder to come. A service without tables has "".

    Each incarnation is a fresh instance. Instances may cache, but what must survive belongs into
    the transaction.
    """

    schema: ClassVar[str | Path]
    handlers: ClassVar[dict[Any, HandlerSpec]] = {}

    # `await self.ask(message)` sends this service a command or query of its own, for `run` only:
    # through the mailbox like everybody's, and back after the commit, with the reply or a Refusal.
    # It has no deadline, and raises what an ask raises: MailboxFull, DeadLettered, ActorStopped.
    ask: Ask

    async def run(self) -> None:
        """Override it where the service has something to do of its own, such as to read a stream.

        It starts when the incarnation is up and is cancelled when the incarnation ends. Raising is
        a crash of the incarnation, and counts against the restart budget; returning is the end of
        it until the next incarnation. It goes on while the service is suspended: what it asks then
        waits. It belongs to the event loop and must not block; all it knows for sure is what it
        asks, and a command it asked when it was cancelled may be applied all the same: make that
        harmless. The next incarnation's may start before it has cleaned up.
        """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Collect the handlers. Raises TypeError, naming the handler whose types do not fit."""
        super().__init_subclass__(**kwargs)
        schema = vars(cls).get("schema")
        if isinstance(schema, Path):
            cls.schema = _beside(cls, schema)
        cls.handlers = read_handlers(cls, cls.handlers)
        if "ask" in vars(cls) or hasattr(cls.run, "__handles__"):
            message = f"{cls.__name__}: ask and run are no handlers' names: call it otherwise"
            with at_line_of(vars(cls).get("ask", cls.run)):
                raise TypeError(message)
        if not iscoroutinefunction(cls.run):
            message = f"{cls.__name__}.run: write it as `async def run(self) -> None`"
            with at_line_of(cls.run):
                raise TypeError(message)
        for spec in cls.handlers.values():
            with at_line_of(spec.function):
                if spec.kind == "effect":
                    _check_outcome(cls, spec)
                elif typing.get_origin(spec.message) in {GaveUp, EffectOutcome}:
                    _check_effect(cls, spec)


class StatelessService:
    """A service that remembers nothing: `@query def score(self, question: ScoreText) -> Score`.

    No schema, no file, no transaction, and so no limit to its replicas: see `Replicas`. A handler
    is pure, for it runs again where its incarnation died under it. Each incarnation is a fresh
    instance, and its handlers run one at a time.
    """

    handlers: ClassVar[dict[Any, HandlerSpec]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Collect the handlers. Raises TypeError, naming the handler that does not fit."""
        super().__init_subclass__(**kwargs)
        cls.handlers = read_stateless_handlers(cls, cls.handlers)


def _beside(service: type[Service], schema: Path) -> Path:
    """Return where a relative path leads from the class's own file. Raises TypeError."""
    if schema.is_absolute():
        return schema
    file = getattr(sys.modules.get(service.__module__), "__file__", None)
    if file is None:
        message = (
            f"{service.__name__}.schema is {str(schema)!r} beside the class's file, and it has "
            f"none: write the whole path"
        )
        raise TypeError(message)
    return Path(file).absolute().parent / schema


def _check_effect(service: type[Service], spec: HandlerSpec) -> None:
    """Raise TypeError where a handler would wait for the end of no effect."""
    command = typing.get_args(spec.message)[0]
    handler = service.handlers.get(command)
    name = f"{service.__name__}.{spec.function.__name__}"
    if handler is None or handler.kind != "effect":
        message = (
            f"{name} is @{_called(spec)}, and "
            f"{service.__name__} has no @effect for {command.__name__}: write one, or leave this "
            f"out"
        )
        raise TypeError(message)
    if spec.kind == "outcome" and spec.value != handler.reply:
        message = f"{name} is @{_called(spec)}, which returns something else in {service.__name__}"
        raise TypeError(message)


def _called(spec: HandlerSpec) -> str:
    if spec.kind == "outcome":
        return f"outcome({spec.function.__outcome_of__.__name__})"  # type: ignore[attr-defined]
    return f"on({type_name(spec.message)})"


def _check_outcome(service: type[Service], spec: HandlerSpec) -> None:
    """Raise TypeError where an effect's outcome is nothing that the service could apply."""
    if outcome_type(spec.message) in service.handlers:
        return
    name = spec.function.__name__
    for outcome in members(spec.reply):
        handler = service.handlers.get(outcome)
        if outcome is not NoneType and (handler is None or handler.kind != "command"):
            message = (
                f"{service.__name__}.{name} ends in {getattr(outcome, '__name__', outcome)}, which "
                f"is no @command of {service.__name__}: handle it by a method with @outcome({name})"
            )
            raise TypeError(message)
