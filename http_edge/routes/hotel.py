"""The hotel's addresses: the API's, the tutorial's own, and the tutorial's gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.systems.hotel.messages import (
    CreateCustomer,
    CreateRoom,
    GetCustomer,
    GetRoom,
    ListCustomers,
    ListRooms,
    RegisterCustomer,
    RegisterRoom,
)
from http_edge.decoding import GoBody
from http_edge.routes.route import Route, Text

if TYPE_CHECKING:
    from http_edge.handler import Row

_CUSTOMERS = "/api/v1/customers"
_ROOMS = "/api/v1/rooms"

ROUTES: dict[str, tuple[Row, ...]] = {
    "gateway": (
        Route("POST", _CUSTOMERS, "customer", CreateCustomer, 201, location=f"{_CUSTOMERS}/"),
        Route("GET", _CUSTOMERS, "customer", ListCustomers),
        Route("GET", f"{_CUSTOMERS}/{{customer_id}}", "customer", GetCustomer),
        Route("POST", _ROOMS, "room", CreateRoom, 201, location=f"{_ROOMS}/"),
        Route("GET", _ROOMS, "room", ListRooms),
        Route("GET", f"{_ROOMS}/{{room_id}}", "room", GetRoom),
        Route("POST", "/api/customer", "customer", RegisterCustomer, 201, body=GoBody),
        Route("POST", "/api/room", "room", RegisterRoom, 201, body=GoBody),
    ),
    "hotel": (
        Text("GET", "/", "Welcome to the Hotel Booking API"),
        Route("POST", "/customer", "customer", RegisterCustomer, 201, body=GoBody),
        Route("POST", "/room", "room", RegisterRoom, 201, body=GoBody),
    ),
}
