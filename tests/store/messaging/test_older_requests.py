"""A client that asks again after an upgrade is known by its key, whatever its message became."""

from __future__ import annotations

import msgspec
import pytest

from actors.kernel.messages import Command
from actors.store.messaging.request_keys import fingerprint, is_of


class Order(Command):
    cups: int
    name: str = "nobody"


class Reserve(Command):
    """An Order by another name, with more in it."""

    formerly = ("Order",)
    cups: int
    name: str = "nobody"
    milk: bool = False
    extras: list[str] = msgspec.field(default_factory=list)
    at: int = msgspec.field(default=0, name="at_minute")
    note: str | msgspec.UnsetType = msgspec.UNSET


@pytest.mark.parametrize("name", ["nobody", "somebody"])
def test_request_of_an_older_type_is_the_same(name: str) -> None:
    """Its type was renamed since, and has got fields, which have their defaults."""
    digest = fingerprint(Order(cups=2, name=name))
    assert is_of(digest, Reserve(cups=2, name=name))
    for other in (
        Reserve(cups=3, name=name),
        Reserve(cups=2, name=f"{name} else"),
        Reserve(cups=2, name=name, milk=True),
        Reserve(cups=2, name=name, extras=["sugar"]),
        Reserve(cups=2, name=name, at=1),
        Reserve(cups=2, name=name, note=""),
    ):
        assert not is_of(digest, other)


def test_request_of_the_same_type_is_told_from_any_other() -> None:
    """Also where both leave fields at their defaults."""
    digest = fingerprint(Reserve(cups=2))
    assert is_of(digest, Reserve(cups=2))
    assert not is_of(digest, Reserve(cups=2, name="somebody"))
    assert not is_of(fingerprint(Reserve(cups=2, milk=True)), Reserve(cups=2))
    assert not is_of(digest, Order(cups=2))
