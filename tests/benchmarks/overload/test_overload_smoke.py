"""The rows of overload can be measured; what they say is for people to read."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from actors.load.load_plan import LoadPlan
from tests.benchmarks.bookings import CUSTOMER, ROOM, Catalogue
from tests.benchmarks.client import Client
from tests.benchmarks.effort import QUICK
from tests.benchmarks.overload.crowd import crowd_of
from tests.benchmarks.overload.generator import plan_of_bookings
from tests.benchmarks.overload.hotel_server import HotelServer
from tests.benchmarks.overload.onlooker import Onlooker
from tests.benchmarks.overload.overload_suite import OVERLOAD_PARTS, run_overload_suite
from tests.benchmarks.overload.scrape import Scrape
from tests.benchmarks.wrk import INSTALL

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc"),
]
KEYS = {
    "capacity": [
        "overload_load_goodput",
        "overload_load_p99",
        "overload_healthz",
        "overload_admin_actors",
        "overload_resident",
    ],
    "crowd": ["overload_crowd_share", "overload_crowd_over", "overload_crowd_refused"],
    "silence": [
        "overload_silent_p99",
        "overload_silent_amplification",
        "overload_silent_opens",
        "overload_silent_closes",
        "overload_silent_others",
    ],
    "chain": ["overload_chain_get", "overload_chain_post"],
    "pause": ["overload_pause"],
}


def test_what_parts_are_made_of_works_on_a_hotel(tmp_path: Path) -> None:
    """Clients that do not wait get bookings; who looks on is answered; a scrape adds up."""
    customers, rooms = tmp_path / "customers.txt", tmp_path / "rooms.txt"
    with HotelServer("smoke", tmp_path) as server:
        client = Client(server.gateway)
        for path, where, what in (
            (customers, "/api/v1/customers", CUSTOMER),
            (rooms, "/api/v1/rooms", ROOM),
        ):
            path.write_text(client.create(where, what)["id"])
        client.close()
        with Onlooker(server.gateway, ["/healthz"]) as onlooker:
            crowd = crowd_of(server, Catalogue(customers, rooms), 8, 0.5)
        operator = server.operator()
        scrape = Scrape(operator)
        operator.close()
    assert not crowd.broken
    assert not crowd.unanswered
    assert onlooker.took_s["/healthz"]
    asked = scrape.total("http_requests_total", route="/api/v1/bookings", method="POST")
    assert asked >= sum(crowd.statuses.values())
    assert crowd.booked > 0  # the last answers count: where the cores are busy there are no others
    assert scrape.total("http_requests_total", route="/nowhere") == 0


def test_the_plan_is_one(tmp_path: Path) -> None:
    """With what counts as an answer."""
    text = plan_of_bookings(tmp_path, expect="201,202").read_text()
    plan = msgspec.toml.decode(text, type=LoadPlan)
    (book,) = (each for each in plan.request if each.weight)
    assert book.expect == (201, 202)


@pytest.mark.long
@pytest.mark.parametrize("part", OVERLOAD_PARTS)
def test_each_part_measures_its_rows(part: str, tmp_path: Path) -> None:
    """On a busy machine a load may be late: then its rows say so."""
    if part == "chain" and shutil.which("wrk") is None:
        pytest.skip(INSTALL)
    found = run_overload_suite(QUICK, tmp_path, f"overload.{part}")
    keys = [*(each.key for each in found.rows), *(each.key for each in found.absent)]
    assert sorted(keys) == sorted(KEYS[part])
    assert all(each.key.startswith("overload_load") for each in found.absent)
