"""What the booking and the room service tell each other. A hold has its booking's id."""

from __future__ import annotations

from actors.kernel.messages import Command, Event
from actors.systems.hotel.messages import Date, Money  # noqa: TC001 - msgspec reads them at run time


class HoldRoom(Command, frozen=True, kw_only=True):
    """Hold the room for `hold_s` seconds; refused if a night is taken, or there is no such room."""

    hold_id: str
    room_id: str
    check_in: Date
    check_out: Date
    hold_s: float


class RoomHeld(Event, frozen=True, kw_only=True):
    """The nights are taken. `price` is for the whole stay, and fixed."""

    hold_id: str
    room_id: str
    price: Money


class ConfirmHold(Command, frozen=True, kw_only=True):
    """Keep the nights for good; refused if the hold is over."""

    hold_id: str


class HoldConfirmed(Event, frozen=True, kw_only=True):
    hold_id: str


class ReleaseHold(Command, frozen=True, kw_only=True):
    """End the hold, confirmed or not; one that never was cannot begin any more."""

    hold_id: str


class HoldReleased(Event, frozen=True, kw_only=True):
    hold_id: str


class ExpireHold(Command, frozen=True, kw_only=True):
    """The room service's own timer."""

    hold_id: str


class HoldExpired(Event, frozen=True, kw_only=True):
    """Nobody confirmed the hold in time, and its nights are free."""

    hold_id: str
