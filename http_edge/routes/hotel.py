"""The hotel's addresses: the API's, the tutorial's own, and the tutorial's gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.systems.hotel.messages import (
    Booking,
    CancelBooking,
    ChangeRoom,
    CreateBooking,
    CreateCustomer,
    CreateRoom,
    GetBooking,
    GetCustomer,
    GetRoom,
    ListBookings,
    ListCustomers,
    ListMails,
    ListRooms,
    RegisterBooking,
    RegisterCustomer,
    RegisterRoom,
    TutorialBooking,
)
from http_edge.decoding import GoBody
from http_edge.routes.route import Route, Text

if TYPE_CHECKING:
    from http_edge.handler import Row

_CUSTOMERS = "/api/v1/customers"
_ROOMS = "/api/v1/rooms"
_BOOKINGS = "/api/v1/bookings"
_BOOKING = f"{_BOOKINGS}/{{booking_id}}"


def _registered(booking: Booking) -> tuple[int, TutorialBooking]:
    return 201, TutorialBooking(
        id=booking.id,
        customer_id=booking.customer_id,
        room_id=booking.room_id,
        check_in=booking.check_in,
        check_out=booking.check_out,
    )


def _tutorial_booking(path: str) -> Route:
    return Route("POST", path, "booking", RegisterBooking, 201, reply=_registered, body=GoBody)


ROUTES: dict[str, tuple[Row, ...]] = {
    "gateway": (
        Route("POST", _CUSTOMERS, "customer", CreateCustomer, 201, location=f"{_CUSTOMERS}/"),
        Route("GET", _CUSTOMERS, "customer", ListCustomers),
        Route("GET", f"{_CUSTOMERS}/{{customer_id}}", "customer", GetCustomer),
        Route("POST", _ROOMS, "room", CreateRoom, 201, location=f"{_ROOMS}/"),
        Route("GET", _ROOMS, "room", ListRooms),
        Route("GET", f"{_ROOMS}/{{room_id}}", "room", GetRoom),
        Route("PATCH", f"{_ROOMS}/{{room_id}}", "room", ChangeRoom),
        Route("POST", _BOOKINGS, "booking", CreateBooking, 201, location=f"{_BOOKINGS}/"),
        Route("GET", _BOOKINGS, "booking", ListBookings),
        Route("GET", _BOOKING, "booking", GetBooking),
        Route("DELETE", _BOOKING, "booking", CancelBooking),
        Route("GET", "/api/v1/mails", "notification", ListMails),
        _tutorial_booking("/api/booking"),
        Route("POST", "/api/customer", "customer", RegisterCustomer, 201, body=GoBody),
        Route("POST", "/api/room", "room", RegisterRoom, 201, body=GoBody),
    ),
    "hotel": (
        Text("GET", "/", "Welcome to the Hotel Booking API"),
        _tutorial_booking("/booking"),
        Route("POST", "/customer", "customer", RegisterCustomer, 201, body=GoBody),
        Route("POST", "/room", "room", RegisterRoom, 201, body=GoBody),
    ),
}
