"""A handler as its author declared it, read from its types when its class is made."""

from __future__ import annotations

import inspect
import typing
from contextlib import contextmanager
from inspect import iscoroutinefunction
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union

import msgspec

from actors.kernel.messages import (
    Command,
    Event,
    Expired,
    GaveUp,
    Later,
    Query,
    Refusal,
    Refused,
    outcome_type,
    stored_names,
    type_name,
)
from actors.service.effect_options import EffectOptions
from actors.service.json_types import INSTEAD, decoder_of, without_form
from actors.store.store import BoundHandler
from actors.store.transaction import ReadTransaction, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors.service.caching.cache_options import CacheOptions
    from actors.store.messaging.service_catalog import Start

Kind = Literal["command", "query", "event", "effect", "outcome"]
BASES: dict[Kind, type] = {"command": Command, "query": Query, "event": Event, "effect": Command}
SHAPES: dict[Kind, str] = {
    "command": "(self, tx: Transaction, message: SomeCommand) -> Reply | Refusal | Later",
    "query": "(self, tx: ReadTransaction, message: SomeQuery) -> Reply | Refusal",
    "event": "(self, tx: Transaction, event: SomeEvent) -> None",
    "effect": "async (self, message: SomeCommand) -> Outcome | None",
    "outcome": "(self, tx: Transaction, message: SomeCommand, outcome: Outcome) -> None",
}
LIST_SHAPE = "async (self, messages: list[SomeCommand]) -> list[Outcome] | None"
STATELESS_SHAPE = "(self, question: SomeQuery) -> Reply | Refusal"
IMPORTED = "types are read at run time: define or import it, and not for the type checker alone"
NO_AWAIT = "handlers never await: write it as `def`, and what has to wait as an @effect"


class HandlerSpec(msgspec.Struct, frozen=True):
    """A handler as declared: its kind, the function, the message and the reply it is typed for.

    `defers` is whether it may return Later; `start` is an event's, see `on`; `options` are an
    effect's; `cache` is of a query whose answers are kept. An outcome's `value` is the type of what
    its effect returns. An effect that `lists` is given a list of messages and returns one of
    outcomes: `message` and `reply` are of one of them.
    """

    kind: Kind
    function: Callable[..., Any]
    message: Any
    reply: Any
    defers: bool = False
    start: Start = "now"
    options: EffectOptions = EffectOptions()
    value: Any = None
    lists: bool = False
    cache: CacheOptions | None = None

    @property
    def stored(self) -> Any:
        """The message's type with all that is needed to read it back."""
        if self.kind == "outcome":
            return outcome_type(self.message.__args__[0], self.value)
        return self.message

    def bind(self, service: Any) -> BoundHandler:
        """Return the instance's handler, as the store calls it."""
        function = self.function.__get__(service)
        if self.kind == "effect":
            # Asked for from elsewhere, an effect is only noted; it runs once that is committed.
            return BoundHandler(lambda tx, message: tx.run(message), decoder_of(None))
        if self.kind == "outcome":
            return BoundHandler(
                lambda tx, message: function(tx, message.command, message.value),
                decoder_of(None),
            )
        return BoundHandler(function, decoder_of(self.reply), self.defers)


def read_handlers(cls: type, inherited: dict[Any, HandlerSpec]) -> dict[Any, HandlerSpec]:
    """Return the class's handlers by message, those of its bases included.

    Raises TypeError, naming the handler whose types do not fit.
    """
    return _read_all(cls, inherited, read_handler)


def read_stateless_handlers(cls: type, inherited: dict[Any, HandlerSpec]) -> dict[Any, HandlerSpec]:
    """Return the handlers of a service without a store: queries, and no transaction.

    Raises TypeError, naming the handler whose types do not fit, or that cannot be there.
    """
    return _read_all(cls, inherited, _read_stateless)


def read_handler(name: str, kind: Kind, function: Callable[..., Any]) -> HandlerSpec:
    """Return the handler `name`, as a service with a store has them. Raises TypeError."""
    if kind == "outcome":
        return _read_outcome(name, function)
    if kind == "effect":
        return _read_effect(name, function)
    shape = SHAPES[kind]
    types, reply = _read_types(name, function, shape, parameters=2)
    message = types[-1]
    _check_message(name, kind, message, shape)
    _check_transaction(name, kind, types[:-1], shape)
    if iscoroutinefunction(function):
        error = f"{name}: {NO_AWAIT}"
        raise TypeError(error)
    start: Start = "now"
    if kind == "event":
        declared = function.__event__  # type: ignore[attr-defined]
        start = function.__start__  # type: ignore[attr-defined]
        if message != declared or reply is not NoneType:
            error = f"{name} is @on({type_name(declared)}): it must be typed {shape}"
            raise TypeError(error)
    defers = Later in members(reply)
    if defers and (kind != "command" or not set(members(reply)) - {Later, Refusal}):
        error = f"{name} returns Later: only a @command may, and it says what its reply will be"
        raise TypeError(error)
    reply = _reply_type(reply)
    _check_readable(name, "reply", reply)
    cache: CacheOptions | None = getattr(function, "__cache__", None)
    if cache is not None:
        cache.check(name, message)
    return HandlerSpec(kind, function, message, reply, defers, start, cache=cache)


@contextmanager
def at_line_of(function: Any) -> Iterator[None]:
    """A TypeError that is raised within has a note of where the function begins.

    Python's own traceback would end at the class, which may be long.
    """
    try:
        yield
    except TypeError as error:
        code = getattr(inspect.unwrap(function), "__code__", None)
        if code is not None:
            error.add_note(f"{code.co_filename}, line {code.co_firstlineno}")
        raise


def members(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the annotation itself."""
    if typing.get_origin(annotation) in {Union, UnionType}:
        return typing.get_args(annotation)
    return (annotation,)


# --- Inside ------------------------------------------------------------------------------------


def _read_all(
    cls: type,
    inherited: dict[Any, HandlerSpec],
    read: Callable[[str, Kind, Callable[..., Any]], HandlerSpec],
) -> dict[Any, HandlerSpec]:
    handlers = dict(inherited)
    for name, function in vars(cls).items():
        kind = getattr(function, "__handles__", None)
        if kind is None:
            continue
        with at_line_of(function):
            spec = read(f"{cls.__name__}.{name}", kind, function)
            _check_alone(cls, name, spec, handlers)
        handlers[spec.message] = spec
    _check_names(cls, handlers)
    return handlers


def _check_alone(cls: type, name: str, spec: HandlerSpec, handlers: dict[Any, HandlerSpec]) -> None:
    """Raise TypeError where another method handles the same message."""
    if spec.message not in handlers:
        return
    other = handlers[spec.message].function.__name__
    if other != name:  # of the same name: a subclass overrides it
        error = (
            f"{cls.__name__}.{name} and {cls.__name__}.{other} both handle "
            f"{type_name(spec.message)}: keep one of them"
        )
        raise TypeError(error)


def _check_names(cls: type, handlers: dict[Any, HandlerSpec]) -> None:
    """Raise TypeError where what is stored under a name could be either of two types."""
    readers: dict[str, HandlerSpec] = {}
    for spec in handlers.values():
        for name in stored_names(spec.message) if spec.kind != "query" else ():
            other = readers.setdefault(name, spec)
            if other is not spec:
                error = (
                    f"{cls.__name__}.{spec.function.__name__} and .{other.function.__name__} both "
                    f"read what is stored as {name}: each name is of one type, see `formerly`"
                )
                with at_line_of(spec.function):
                    raise TypeError(error)


def _read_stateless(name: str, kind: Kind, function: Callable[..., Any]) -> HandlerSpec:
    if kind != "query":
        called = {"event": "@on"}.get(kind, f"@{kind}")
        error = (
            f"{name} is {called}, and a stateless service could lose what it is sent: it answers "
            f"queries only. Make it a @query that others ask from an @effect, or a Service"
        )
        raise TypeError(error)
    if hasattr(function, "__cache__"):
        error = (
            f"{name} is @query(cache_s=…), which is for answers that are read from a file: a "
            f"stateless service computes them, and may remember them itself, by functools.lru_cache"
        )
        raise TypeError(error)
    (message,), reply = _read_types(name, function, STATELESS_SHAPE, parameters=1)
    _check_message(name, kind, message, STATELESS_SHAPE)
    if iscoroutinefunction(function):
        error = f"{name}: {NO_AWAIT}"
        raise TypeError(error)
    if Later in members(reply):
        error = f"{name} returns Later: only a @command of a service with a store may"
        raise TypeError(error)
    return HandlerSpec(kind, function, message, _reply_type(reply))


def _read_effect(name: str, function: Callable[..., Any]) -> HandlerSpec:
    message, reply, lists = _read_effect_types(name, function)
    _check_message(name, "effect", message, LIST_SHAPE if lists else SHAPES["effect"])
    if not iscoroutinefunction(function):
        error = f"{name}: write an @effect as `async def`, for it waits for somebody else"
        raise TypeError(error)
    options: EffectOptions = function.__options__  # type: ignore[attr-defined]
    options.check(name)
    if options.together_max is not None and not lists:
        error = (
            f"{name}: @effect(together_max=…) is for one that takes a list: type it {LIST_SHAPE}"
        )
        raise TypeError(error)
    # An outcome is no reply: it may be of any of several types.
    return HandlerSpec("effect", function, message, reply, options=options, lists=lists)


def _read_effect_types(name: str, function: Callable[..., Any]) -> tuple[Any, Any, bool]:
    """Return the types of one message and of its outcome, and whether it takes lists of them."""
    (message,), reply = _read_types(name, function, SHAPES["effect"], parameters=1)
    if typing.get_origin(message) is not list:
        return message, reply, False
    if typing.get_origin(reply) is list:
        (reply,) = typing.get_args(reply)
    elif reply is not NoneType:
        error = (
            f"{name} takes a list, and returns none, of an outcome for each message: it must be "
            f"typed {LIST_SHAPE}"
        )
        raise TypeError(error)
    return typing.get_args(message)[0], reply, True


def _read_outcome(name: str, function: Callable[..., Any]) -> HandlerSpec:
    effect: Callable[..., Any] = function.__outcome_of__  # type: ignore[attr-defined]
    of = getattr(effect, "__name__", repr(effect))
    if getattr(effect, "__handles__", None) != "effect":
        error = f"{name} is @outcome({of}), which is no @effect"
        raise TypeError(error)
    message, value, _ = _read_effect_types(of, effect)
    types, reply = _read_types(name, function, SHAPES["outcome"], parameters=3)
    if types != [Transaction, message, value] or reply is not NoneType:
        shown = getattr(value, "__name__", str(value))
        error = (
            f"{name} is @outcome({of}): it must be typed "
            f"(self, tx: Transaction, message: {message.__name__}, outcome: {shown}) -> None"
        )
        raise TypeError(error)
    if iscoroutinefunction(function):
        error = f"{name}: {NO_AWAIT}"
        raise TypeError(error)
    spec = HandlerSpec("outcome", function, outcome_type(message), reply, value=value)
    _check_readable(name, "outcome", spec.stored)
    return spec


def _read_types(
    name: str, function: Callable[..., Any], shape: str, *, parameters: int
) -> tuple[list[Any], Any]:
    """Return the types of the parameters, the message or its outcome last, and of the reply."""
    try:
        hints = typing.get_type_hints(function)
    except NameError as unknown:
        error = f"{name}: {unknown}; {IMPORTED}"
        raise TypeError(error) from unknown
    reply = hints.pop("return", None)
    types = list(hints.values())
    if reply is None and len(types) == parameters:
        error = f"{name} does not say what it returns: it must be typed {shape}"
        raise TypeError(error)
    if len(types) != parameters:
        error = f"{name} must be typed {shape}"
        raise TypeError(error)
    return types, reply


def _check_transaction(name: str, kind: Kind, before: list[Any], shape: str) -> None:
    """Raise TypeError where what is typed `before` the message begins with another transaction."""
    if not before:
        return
    wanted = ReadTransaction if kind == "query" else Transaction
    if before[0] is wanted:
        return
    error = f"{name} must be typed {shape}"
    if before[0] is Transaction:
        error = (
            f"{name} is a @query and takes a Transaction, and a query only reads: write "
            f"`tx: ReadTransaction`, or make it a @command"
        )
    elif before[0] is ReadTransaction:
        error = (
            f"{name} is {_called(kind)} and takes a ReadTransaction, with which it could change "
            f"nothing: write `tx: Transaction`, or make it a @query"
        )
    raise TypeError(error)


def _check_readable(name: str, what: str, stored: Any) -> None:
    """Raise TypeError where such a value could not be written as JSON, or not read back."""
    try:
        msgspec.json.Decoder(stored)
        strangers = list(without_form(stored))
    except NameError as unknown:
        error = f"{name}: its {what} has a type that is not known: {unknown}; {IMPORTED}"
        raise TypeError(error) from unknown
    except TypeError as unreadable:
        error = f"{name}: its {what} could be stored, and not read back: {unreadable}"
        raise TypeError(error) from unreadable
    if strangers:
        error = f"{name}: its {what} has no form in JSON: {' and '.join(strangers)}; {INSTEAD}"
        raise TypeError(error)


def _check_message(name: str, kind: Kind, message: Any, shape: str) -> None:
    # A class, or one of messages.Refused, GaveUp and Expired for a command.
    origin = message if isinstance(message, type) else typing.get_origin(message)
    if origin in {None, Union, UnionType}:
        error = f"{name} must be typed {shape}"
        raise TypeError(error)
    if not issubclass(origin, BASES[kind]):
        error = (
            f"{name} is {_called(kind)}, and {origin.__name__} is no {BASES[kind].__name__}: "
            f"it must be typed {shape}"
        )
        raise TypeError(error)
    if message in {Refused, GaveUp, Expired}:
        error = f"{name}: say of which command, such as {message.__name__}[SomeCommand]"
        raise TypeError(error)
    _check_readable(name, f"message {type_name(message)}", message)


def _called(kind: Kind) -> str:
    return {"event": "an @on", "effect": "an @effect"}.get(kind, f"a @{kind}")


def _reply_type(annotation: Any) -> Any:
    """Return what the annotation leaves beside Refusal and Later: the type of a stored reply."""
    if typing.get_origin(annotation) not in {Union, UnionType}:
        return NoneType if annotation is None else annotation
    rest = tuple(each for each in members(annotation) if each not in {Refusal, Later})
    return Union[rest] if rest else NoneType  # noqa: UP007 - made at run time
