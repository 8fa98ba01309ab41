"""The hotel's addresses: the API's, the tutorial's own, and the tutorial's gateway."""

from __future__ import annotations

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
from http_edge.address import Address
from http_edge.decoding.go_body import GoBody
from http_edge.endpoints.service_endpoint import service
from http_edge.endpoints.text_endpoint import text

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


_REGISTER_BOOKING = service("booking", RegisterBooking, 201, reply=_registered, body=GoBody)
_REGISTER_CUSTOMER = service("customer", RegisterCustomer, 201, body=GoBody)
_REGISTER_ROOM = service("room", RegisterRoom, 201, body=GoBody)

# By listener.
ADDRESSES: dict[str, tuple[Address, ...]] = {
    "gateway": (
        Address(
            "POST",
            _CUSTOMERS,
            service("customer", CreateCustomer, 201, location=f"{_CUSTOMERS}/"),
        ),
        Address("GET", _CUSTOMERS, service("customer", ListCustomers)),
        Address("GET", f"{_CUSTOMERS}/{{customer_id}}", service("customer", GetCustomer)),
        Address("POST", _ROOMS, service("room", CreateRoom, 201, location=f"{_ROOMS}/")),
        Address("GET", _ROOMS, service("room", ListRooms)),
        Address("GET", f"{_ROOMS}/{{room_id}}", service("room", GetRoom)),
        Address("PATCH", f"{_ROOMS}/{{room_id}}", service("room", ChangeRoom)),
        Address(
            "POST", _BOOKINGS, service("booking", CreateBooking, 201, location=f"{_BOOKINGS}/")
        ),
        Address("GET", _BOOKINGS, service("booking", ListBookings)),
        Address("GET", _BOOKING, service("booking", GetBooking)),
        Address("DELETE", _BOOKING, service("booking", CancelBooking)),
        Address("GET", "/api/v1/mails", service("notification", ListMails)),
        Address("POST", "/api/booking", _REGISTER_BOOKING),
        Address("POST", "/api/customer", _REGISTER_CUSTOMER),
        Address("POST", "/api/room", _REGISTER_ROOM),
    ),
    "hotel": (
        Address("GET", "/", text("Welcome to the Hotel Booking API")),
        Address("POST", "/booking", _REGISTER_BOOKING),
        Address("POST", "/customer", _REGISTER_CUSTOMER),
        Address("POST", "/room", _REGISTER_ROOM),
    ),
}
