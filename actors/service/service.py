"""A service: handlers over a transaction and a schema. No HTTP, no threads, no asyncio."""

from __future__ import annotations

import typing
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, Union

import msgspec

from actors.kernel.messages import Command, Query, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

F = TypeVar("F", bound="Callable[..., Any]")
Kind = Literal["command", "query"]


class HandlerSpec(msgspec.Struct, frozen=True):
    """A handler as declared: its kind, the function, the message and the reply it is typed for."""

    kind: Kind
    function: Callable[..., Any]
    message: type
    reply: Any


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


class Service:
    """Subclass it, set `schema` to a folder of numbered .sql files, and write handlers.

    Each incarnation is a fresh instance. Instances may cache, but what must survive belongs into
    the transaction.
    """

    schema: ClassVar[Path]
    handlers: ClassVar[dict[type, HandlerSpec]] = {}

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


def _read_handler(name: str, kind: Kind, function: Callable[..., Any]) -> HandlerSpec:
    try:
        hints = typing.get_type_hints(function)
    except NameError as unknown:
        error = f"{name}: {unknown}; its types are read at run time: import them for that, too"
        raise TypeError(error) from unknown
    reply = hints.pop("return", None)
    parameters = list(hints.values())
    base = Command if kind == "command" else Query
    message = parameters[-1] if parameters else None
    if reply is None or len(parameters) != 2 or not isinstance(message, type):  # noqa: PLR2004 - tx, message
        error = f"{name} must be typed (self, tx: ..., message: SomeMessage) -> Reply | Refusal"
        raise TypeError(error)
    if not issubclass(message, base):
        error = f"{name} is a @{kind}, and {message.__name__} is no {base.__name__}"
        raise TypeError(error)
    reply = _reply_type(reply)
    try:
        msgspec.json.Decoder(reply)
    except TypeError as unreadable:
        error = f"{name}: its reply could be stored, and not read back: {unreadable}"
        raise TypeError(error) from unreadable
    return HandlerSpec(kind, function, message, reply)


def _reply_type(annotation: Any) -> Any:
    """Return what the annotation leaves beside Refusal: the type of a stored reply."""
    if typing.get_origin(annotation) not in {Union, UnionType}:
        return NoneType if annotation is None else annotation
    members = tuple(member for member in typing.get_args(annotation) if member is not Refusal)
    return Union[members] if members else NoneType  # noqa: UP007 - made at run time
