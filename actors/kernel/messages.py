"""The kinds of message, and the refusal: what actors say to each other."""

from __future__ import annotations

from typing import Any, ClassVar, Generic, Literal, Self, TypeVar, dataclass_transform

import msgspec

from actors.frozen_type import FrozenType

C = TypeVar("C", bound="Command")
V = TypeVar("V")


def former_names(message_type: type) -> tuple[str, ...]:
    """Return what the type was called before; a base's former names are its own."""
    names: tuple[str, ...] = vars(message_type).get("formerly", ())
    return names


def _is_other_name(name: object, message_type: type) -> bool:
    return isinstance(name, str) and name.isidentifier() and name != message_type.__name__


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Message(
    msgspec.Struct, metaclass=FrozenType, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Base of all messages: frozen, keyword-only, decoded straight from outside input.

    `formerly` has the names that this type was called by before, as in `formerly = ("HoldRoom",)`:
    what is stored under one of them is read as this type.
    """

    formerly: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Raise TypeError where `formerly` is no tuple of other names."""
        super().__init_subclass__(**kwargs)
        names: Any = former_names(cls)
        if not isinstance(names, tuple) or not all(_is_other_name(each, cls) for each in names):
            error = f'{cls.__name__}: write `formerly` as a tuple of other names, ("OldName",)'
            raise TypeError(error)


class Command(Message):
    """An imperative request to change something, such as `CreateRoom`."""


class Query(Message):
    """A request to read; it changes nothing and needs no key."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """An expected "no", as a value: the handler's work is rolled back and the caller is told.

    `kind` is a closed set so that every transport can map it; `field` names the message's field
    that is to blame, if one is.
    """

    kind: Literal["not_found", "conflict", "invalid"]
    detail: str
    field: str | None = None

    @classmethod
    def not_found(cls, detail: str) -> Self:
        """The thing asked for does not exist."""
        return cls(kind="not_found", detail=detail)

    @classmethod
    def conflict(cls, detail: str) -> Self:
        """The request is well-formed, but the present state forbids it."""
        return cls(kind="conflict", detail=detail)

    @classmethod
    def invalid(cls, detail: str, *, field: str | None = None) -> Self:
        """The request makes no sense, whatever the state."""
        return cls(kind="invalid", detail=detail, field=field)


class Event(Message):
    """A past-tense fact, told to every service that subscribes to it, such as `RoomHeld`."""


class Refused(Event, Generic[C]):
    """Told to the service that sent a command, once its receiver has refused it."""

    command: C
    refusal: Refusal


class GaveUp(Event, Generic[C]):
    """Told to the service of an effect once its last attempt has failed, or its time is up.

    What the outside world has done of it is unknown: `reason` is only how the last attempt ended.
    """

    command: C
    reason: str


class Expired(Event, Generic[C]):
    """Told to the service that sent a command, or set itself a timer, whose time was up first.

    Its handler has not run, and will not.
    """

    command: C


class EffectOutcome(Command, Generic[C, V]):
    """What an effect has returned, on its way to the @outcome handler."""

    command: C
    value: V


def type_of(message: Any) -> Any:
    """Return what handlers are found by: the message's class, `Refused[HoldRoom]` for such."""
    kind = message.__class__
    if kind is Refused or kind is GaveUp or kind is Expired:
        return kind[message.command.__class__]
    if kind is EffectOutcome:
        return outcome_type(message.command.__class__)
    return kind


def outcome_type(command: Any, value: Any = Any) -> Any:
    """Return the type of an effect's outcome: without `value` what its handler is found by."""
    generic: Any = EffectOutcome
    return generic[command, value]


def type_name(message_type: Any) -> str:
    """Return the name under which messages of this type are stored, such as `Refused[HoldRoom]`."""
    if isinstance(message_type, type):  # to ask a class for what it lacks costs a microsecond
        return message_type.__name__
    return f"{message_type.__origin__.__name__}[{message_type.__args__[0].__name__}]"


def stored_names(message_type: Any) -> tuple[str, ...]:
    """Return the names under which such messages may be stored, the present one first."""
    origin = getattr(message_type, "__origin__", None)
    if origin is None:
        return (message_type.__name__, *former_names(message_type))
    return tuple([f"{origin.__name__}[{name}]" for name in stored_names(message_type.__args__[0])])


class Later(msgspec.Struct, frozen=True, kw_only=True):
    """Returned by a command's handler: the answer comes by `tx.reply(request, value)`.

    `request` names it among the service's open ones. A name is free again only after the commit
    that answered it: take a new one each time. `so_far`, of the handler's reply type, is what a
    caller is told (as Accepted) whose deadline passes first.
    """

    request: str
    so_far: Any


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """What an ask ends in whose deadline passed while its answer was put off: `value` is so_far."""

    value: Any
