"""The kinds of message, and the refusal: what actors say to each other."""

from __future__ import annotations

from typing import Literal, Self

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all messages: frozen, keyword-only, decoded straight from outside input."""


class Command(Message, frozen=True, kw_only=True):
    """An imperative request to change something, such as `CreateRoom`."""


class Query(Message, frozen=True, kw_only=True):
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
