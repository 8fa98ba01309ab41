"""A service: handlers over a transaction and a schema. No HTTP, no threads, no asyncio."""

from __future__ import annotations

import typing
from inspect import iscoroutinefunction
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, Union

import msgspec

from actors.kernel.messages import (
    Command,
    Event,
    GaveUp,
    Later,
    Query,
    Refusal,
    Refused,
    type_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from actors.store.peers import Start

F = TypeVar("F", bound="Callable[..., Any]")
Kind = Literal["command", "query", "event", "effect"]
BASES: dict[Kind, type] = {"command": Command, "query": Query, "event": Event, "effect": Command}
SHAPES: dict[Kind, str] = {
    "command": "(self, tx: Transaction, message: SomeCommand) -> Reply | Refusal | Later",
    "query": "(self, tx: ReadTransaction, message: SomeQuery) -> Reply | Refusal",
    "event": "(self, tx: Transaction, event: SomeEvent) -> None",
    "effect": "async (self, message: SomeCommand) -> Outcome | None",
}


class HandlerSpec(msgspec.Struct, frozen=True):
    """A handler as declared: its kind, the function, the message and the reply it is typed for.

    `defers` is whether it may return Later; `start` is an event's, see `on`.
    """

    kind: Kind
    function: Callable[..., Any]
    message: Any
    reply: Any
    defers: bool = False
    start: Start = "now"


def command(function: F) -> F:
    """Mark `(self, tx: Transaction, message) -> reply | Refusal` as the message's write handler.

    Synchronous, pure SQL and arithmetic; time, ids and chance come from `tx` only.
    """
    function.__handles__ = "command"  # type: ignore[attr-defined]
    return function


def query(function: F) -> F:
    """Mark `(self, tx: ReadTransaction, message) -> reply | Refusal` as a read handler."""
    function.__handles__ = "query"  # type: ignore[attr-defined]
    return function


def on(event: Any, *, start: Start = "now") -> Callable[[F], F]:
    """Mark `(self, tx: Transaction, event) -> None` as a command handler fed by the event bus.

    A subscriber that is new hears of what is published from now on or, with `start="beginning"`,
    of what every publisher has kept (store.events_kept_max) as well. `on(Refused[SomeCommand])` and
    `on(GaveUp[SomeCommand])` hear of what became of this service's own commands and effects.
    """

    def mark(function: F) -> F:
        function.__handles__ = "event"  # type: ignore[attr-defined]
        function.__event__ = event  # type: ignore[attr-defined]
        function.__start__ = start  # type: ignore[attr-defined]
        return function

    return mark


def effect(function: F) -> F:
    """Mark `async (self, message) -> outcome` as what a command does to the outside world.

    It runs after the commit that asked for it, with a time limit, retries and a breaker: at least
    once, so it must be idempotent by a key in the message. The outcome, a command of this service
    or None, is applied in the transaction that marks the effect done. Raising is a failed attempt.
    """
    function.__handles__ = "effect"  # type: ignore[attr-defined]
    return function


class Service:
    """Subclass it, set `schema` to a folder of numbered .sql files, and write handlers.

    Each incarnation is a fresh instance. Instances may cache, but what must survive belongs into
    the transaction.
    """

    schema: ClassVar[Path]
    handlers: ClassVar[dict[Any, HandlerSpec]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Collect the handlers. Raises TypeError, naming the handler whose types do not fit."""
        super().__init_subclass__(**kwargs)
        cls.handlers = dict(cls.handlers)
        for name, function in vars(cls).items():
            kind = getattr(function, "__handles__", None)
            if kind is not None:
                spec = _read_handler(f"{cls.__name__}.{name}", kind, function)
                other = None
                if spec.message in cls.handlers:
                    other = cls.handlers[spec.message].function.__name__
                if other not in {None, name}:  # of the same name: a subclass overrides it
                    message = f"{cls.__name__}.{name} and .{other} both handle {spec.message}"
                    raise TypeError(message)
                cls.handlers[spec.message] = spec
        for spec in cls.handlers.values():
            if spec.kind == "effect":
                _check_outcome(cls, spec)
            elif typing.get_origin(spec.message) is GaveUp:
                _check_effect(cls, spec)


def _check_effect(service: type[Service], spec: HandlerSpec) -> None:
    """Raise TypeError where a handler would wait for the end of no effect."""
    (command,) = typing.get_args(spec.message)
    handler = service.handlers.get(command)
    if handler is None or handler.kind != "effect":
        message = (
            f"{service.__name__}.{spec.function.__name__} is @on({type_name(spec.message)}), and "
            f"{service.__name__} has no @effect for {command.__name__}"
        )
        raise TypeError(message)


def _check_outcome(service: type[Service], spec: HandlerSpec) -> None:
    """Raise TypeError where an effect's outcome is nothing that the service could apply."""
    for outcome in _members(spec.reply):
        handler = service.handlers.get(outcome)
        if outcome is not NoneType and (handler is None or handler.kind != "command"):
            message = (
                f"{service.__name__}.{spec.function.__name__} ends in {outcome.__name__}, "
                f"which is no @command of {service.__name__}"
            )
            raise TypeError(message)


def _read_handler(name: str, kind: Kind, function: Callable[..., Any]) -> HandlerSpec:
    try:
        hints = typing.get_type_hints(function)
    except NameError as unknown:
        error = f"{name}: {unknown}; its types are read at run time: import them for that, too"
        raise TypeError(error) from unknown
    reply = hints.pop("return", None)
    parameters = list(hints.values())
    message = parameters[-1] if parameters else None
    if reply is None or len(parameters) != (1 if kind == "effect" else 2):
        error = f"{name} must be typed {SHAPES[kind]}"
        raise TypeError(error)
    _check_message(name, kind, message)
    if (kind == "effect") != iscoroutinefunction(function):
        rule = "write an @effect as" if kind == "effect" else "handlers never await, only effects"
        error = f"{name}: {rule} `async def`"
        raise TypeError(error)
    start: Start = "now"
    if kind == "event":
        declared = function.__event__  # type: ignore[attr-defined]
        start = function.__start__  # type: ignore[attr-defined]
        if message != declared or reply is not NoneType:
            error = f"{name} is @on({type_name(declared)}): it must be typed {SHAPES[kind]}"
            raise TypeError(error)
    if kind == "effect":  # an outcome is no reply: it may be of any of several types
        return HandlerSpec(kind, function, message, reply)
    defers = Later in _members(reply)
    if defers and (kind != "command" or not set(_members(reply)) - {Later, Refusal}):
        error = f"{name} returns Later: only a @command may, and it says what its reply will be"
        raise TypeError(error)
    reply = _reply_type(reply)
    try:
        msgspec.json.Decoder(reply)
    except TypeError as unreadable:
        error = f"{name}: its reply could be stored, and not read back: {unreadable}"
        raise TypeError(error) from unreadable
    return HandlerSpec(kind, function, message, reply, defers, start)


def _check_message(name: str, kind: Kind, message: Any) -> None:
    # A class, or one of messages.Refused and GaveUp for a command.
    origin = message if isinstance(message, type) else typing.get_origin(message)
    if origin in {None, Union, UnionType}:
        error = f"{name} must be typed {SHAPES[kind]}"
        raise TypeError(error)
    if not issubclass(origin, BASES[kind]):
        called = {"event": "an @on", "effect": "an @effect"}.get(kind, f"a @{kind}")
        error = f"{name} is {called}, and {origin.__name__} is no {BASES[kind].__name__}"
        raise TypeError(error)
    if message in {Refused, GaveUp}:
        error = f"{name}: say of which command, such as {message.__name__}[SomeCommand]"
        raise TypeError(error)


def _members(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in {Union, UnionType}:
        return typing.get_args(annotation)
    return (annotation,)


def _reply_type(annotation: Any) -> Any:
    """Return what the annotation leaves beside Refusal and Later: the type of a stored reply."""
    if typing.get_origin(annotation) not in {Union, UnionType}:
        return NoneType if annotation is None else annotation
    members = tuple(each for each in _members(annotation) if each not in {Refusal, Later})
    return Union[members] if members else NoneType  # noqa: UP007 - made at run time
