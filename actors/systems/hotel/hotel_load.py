"""The hotel's plan of a load: guests look, book and look again; each booking is read back."""

from __future__ import annotations

import datetime as dt

from actors.load.drawn_values import DrawnValue
from actors.load.load_plan import LoadPlan, PlannedRequest, ReadBack, SetUp

ROOMS = 20
CUSTOMERS = 20

PLAN = LoadPlan(
    values={
        "name": DrawnValue(unique="guest "),
        "rate": DrawnValue(integer=(5_000, 20_000)),
        "room": DrawnValue(answered="room.id"),
        "customer": DrawnValue(answered="customer.id"),
        # So many nights that hardly two guests wish for the same one.
        "check_in": DrawnValue(date=(dt.date(2050, 1, 1), dt.date(2450, 1, 1))),
        "check_out": DrawnValue(after="check_in", days=(1, 3)),
    },
    setup=(SetUp(request="room", count=ROOMS), SetUp(request="customer", count=CUSTOMERS)),
    request=(
        PlannedRequest(
            name="room",
            method="POST",
            path="/api/v1/rooms",
            body={"type": "suite", "rate": {"amount": "{rate}", "currency": "EUR"}},
            weight=0,
            read=ReadBack(path="/api/v1/rooms/{answer.id}", same=("id", "type", "rate")),
        ),
        PlannedRequest(
            name="customer",
            method="POST",
            path="/api/v1/customers",
            body={"name": "{name}", "email": "guest@example.com"},
            weight=0,
            read=ReadBack(path="/api/v1/customers/{answer.id}", same=("id", "name", "email")),
        ),
        PlannedRequest(
            name="book",
            method="POST",
            path="/api/v1/bookings",
            body={
                "customer_id": "{customer}",
                "room_id": "{room}",
                "check_in": "{check_in}",
                "check_out": "{check_out}",
            },
            weight=2,
            # Under way at its deadline, or taken for that night: the hotel's own answers.
            expect=(201, 202, 409),
            read=ReadBack(
                path="/api/v1/bookings?room_id={room}&limit=200",
                items="items",
                match={
                    "customer_id": "{customer}",
                    "check_in": "{check_in}",
                    "check_out": "{check_out}",
                    "status": ["confirmed", "pending"],
                },
                same=("id", "customer_id", "room_id", "check_in", "check_out", "price"),
            ),
        ),
        PlannedRequest(name="look", path="/api/v1/rooms/{room}", weight=1),
        PlannedRequest(
            name="list", path="/api/v1/bookings?customer_id={customer}&limit=10", weight=1
        ),
    ),
)
