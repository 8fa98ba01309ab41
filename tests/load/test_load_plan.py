"""What a plan may say, what its texts become, and what is said of one that is wrong."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from actors.kernel.rng import Rng
from actors.load.drawn_values import DrawnValue, Draws
from actors.load.errors import LoadError
from actors.load.load_plan import read_plan
from actors.load.template import filled
from actors.systems import SYSTEMS

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
[values]
item = { choice = ["tea", "cups"] }
day = { date = [2050-01-01, 2050-12-31] }
next = { after = "day", days = [1, 3] }
order = { answered = "order.id" }

[[setup]]
request = "order"

[[request]]
name = "order"
method = "POST"
path = "/orders"
body = { item = "{item}", days = ["{day}", "{next}"] }
read = { path = "/orders/{answer.id}", same = ["id"] }

[[request]]
name = "look"
path = "/orders/{order}"
"""


def test_a_plan_is_read(tmp_path: Path) -> None:
    """What writes is known by its method; what was answered is compared by its name."""
    (tmp_path / "plan.toml").write_text(GOOD)
    plan = read_plan(tmp_path / "plan.toml")
    order, look = plan.request
    assert (order.writes, look.writes) == (True, False)
    assert order.read is not None
    assert order.read.compared == {"id": "{answer.id}"}
    assert plan.listeners == {"gateway"}


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('"{item}"', '"{itme}"', "order has {itme}, which is no value"),
        ('answered = "order.id"', 'answered = "ordre.id"', "names a request 'ordre'"),
        ('request = "order"', 'request = "ordre"', "setup names a request 'ordre'"),
        ('name = "look"', 'name = "order"', "two requests are called 'order'"),
        ('path = "/orders/{order}"', 'path = "orders"', "must begin with /"),
        ('after = "day"', 'after = "dya"', "value next has {dya}"),
        ("days = [1, 3]", "days = [3, 1]", "the first must not be greater"),
        ('choice = ["tea", "cups"]', 'choice = ["tea"], unique = "a"', "say one of choice"),
        ('method = "POST"', 'method = "SEND"', "$.request[0].method"),
        ('name = "look"', 'nmae = "look"', "nmae"),
        ('path = "/orders/{order}"', 'path = "/"\nread = { path = "/" }', "changes nothing"),
        ("[values]", "[values", "docs/LOAD.md"),
        ('name = "look"', 'name = "look"\nweight = nan', "look: its weight must be a number"),
        ('name = "look"', 'name = "look"\nweight = inf', "look: its weight must be a number"),
        ('path = "/orders/{order}"', 'path = "/a b"', "look: its path '/a b' has a blank"),
        ('name = "look"', 'name = "look"\nheaders = { A = "a\\r\\nB: 1" }', "has a line break"),
        ("date = [2050-01-01, 2050-12-31]", 'after = "next"', "value day is after itself"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, before: str, after: str, says: str) -> None:
    """With the file, and where."""
    path = tmp_path / "plan.toml"
    assert GOOD.count(before) == 1
    path.write_text(GOOD.replace(before, after))
    with pytest.raises(LoadError) as raised:
        read_plan(path)
    assert says in str(raised.value)
    assert str(path) in str(raised.value)


def draws(values: dict[str, DrawnValue], answers: dict[str, list[Any]] | None = None) -> Draws:
    """Return one request's draws."""
    return Draws(
        values, Rng(7), unique="run-1", answers=lambda whose: (answers or {}).get(whose, [])
    )


def test_values_are_drawn_once_a_request() -> None:
    """What depends on another depends on the one that is sent."""
    values = {
        "day": DrawnValue(date=(dt.date(2050, 1, 1), dt.date(2050, 12, 31))),
        "until": DrawnValue(after="day", days=(2, 2)),
        "count": DrawnValue(integer=(1, 5)),
        "name": DrawnValue(unique="guest "),
        "room": DrawnValue(answered="room.id"),
    }
    drawn = draws(values, {"room.id": [17]})
    body = filled(
        {"a": "{day}", "b": ["{until}", "{day}"], "c": "{count}", "d": 1}, drawn.__getitem__
    )
    assert body["a"] == body["b"][1] == drawn["day"].isoformat()
    assert (drawn["until"] - drawn["day"]).days == 2
    assert body["c"] == drawn["count"] in range(1, 6)
    assert body["d"] == 1
    assert filled("/rooms/{room}?by={name}", drawn.__getitem__) == "/rooms/17?by=guest run-1"


def test_what_was_not_answered_yet_cannot_be_drawn() -> None:
    """And what to do about it is said."""
    with pytest.raises(LoadError, match=r"no 'room' has been answered .* \[\[setup\]\]"):
        draws({"room": DrawnValue(answered="room.id")})["room"]


@pytest.mark.parametrize(
    ("before", "days"),
    [
        (DrawnValue(choice=("tea",)), (1, 1)),
        (DrawnValue(date=(dt.date(2050, 1, 1), dt.date(2050, 1, 1))), (10**10, 10**10)),
        (DrawnValue(date=(dt.date.max, dt.date.max)), (1, 1)),
    ],
)
def test_days_after_what_is_no_date_cannot_be_drawn(
    before: DrawnValue, days: tuple[int, int]
) -> None:
    """Nor those beyond the calendar's end."""
    values = {"day": before, "next": DrawnValue(after="day", days=days)}
    with pytest.raises(LoadError, match=r"days after 'day', which is .*: make it a date"):
        draws(values)["next"]


def test_the_shipped_systems_have_plans() -> None:
    """Sound ones: they would raise."""
    plans = [each.load() for each in SYSTEMS if each.load is not None]
    assert len(plans) == 2
    assert all(each.setup or each.request for each in plans)
