"""Every mistake in a handler's types is told, by name, when its class is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from actors.kernel.messages import Command, Query, Refusal
from actors.service.service import Service, command
from actors.store.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable


class Rename(Command, frozen=True, kw_only=True):
    name: str


class Find(Query, frozen=True, kw_only=True):
    name: str


class Found(msgspec.Struct, frozen=True):
    name: str


class Lost(msgspec.Struct, frozen=True):
    name: str


class People(Service):
    @command
    def rename(self, tx: Transaction, cmd: Rename) -> Found | Refusal:
        return Found(cmd.name)


def test_subclass_overrides_by_name() -> None:
    """A handler of the same name replaces the base's, in the subclass alone."""

    class Others(People):
        @command
        def rename(self, tx: Transaction, cmd: Rename) -> Found:
            return Found("other")

    assert Others.handlers[Rename].function is Others.rename
    assert People.handlers[Rename].function is People.rename


def test_subclass_may_not_handle_under_another_name() -> None:
    """Which of the two it would be, nobody could tell."""
    with pytest.raises(TypeError, match=r"Twice\.again and \.rename both handle .*Rename"):

        class Twice(People):
            @command
            def again(self, tx: Transaction, cmd: Rename) -> None: ...


@pytest.mark.parametrize(
    ("annotation", "stored"),
    [
        (Found | Refusal, Found),
        (Found, Found),
        (None, type(None)),
        (Refusal | None, type(None)),
        (list[Found] | None, list[Found] | None),
        (int | str | Refusal, int | str),
    ],
    ids=str,
)
def test_stored_reply_has_the_annotated_type(annotation: Any, stored: Any) -> None:
    """A Refusal is stored apart; what is left of the annotation is what is read back."""

    def handle(self: Any, tx: Transaction, cmd: Rename) -> Any: ...

    handle.__annotations__.update({"return": annotation})
    del handle.__annotations__["self"]
    made: Any = type("Made", (Service,), {"handle": command(handle)})
    assert made.handlers[Rename].reply == stored


def reply_missing(self, tx: Transaction, cmd: Rename): ...  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
def tx_missing(self, cmd: Rename) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
def one_more(self, tx: Transaction, cmd: Rename, more: int) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
def union(self, tx: Transaction, cmd: Rename | Find) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
def no_message(self, tx: Transaction, cmd: int) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
def unknown(self, tx: Transaction, cmd: Nowhere) -> None: ...  # type: ignore[no-untyped-def,name-defined]  # noqa: ANN001, F821
def two_structs(self, tx: Transaction, cmd: Rename) -> Found | Lost: ...  # type: ignore[no-untyped-def,empty-body]  # noqa: ANN001


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (reply_missing, "must be typed"),
        (tx_missing, "must be typed"),
        (one_more, "must be typed"),
        (union, "must be typed"),
        (no_message, "is a @command, and int is no Command"),
        (unknown, "'Nowhere' is not defined"),
        (two_structs, "could be stored, and not read back"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_mistyped_handler_is_named(function: Callable[..., Any], says: str) -> None:
    """The error names the class, the handler and what is wrong with it."""
    with pytest.raises(TypeError, match=says) as raised:
        type("Made", (Service,), {"handle": command(function)})
    assert "Made.handle" in str(raised.value)
