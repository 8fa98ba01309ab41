"""The operator's addresses and the token before them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from actors import errors
from tests.http_edge.serving import is_problem, serving

if TYPE_CHECKING:
    from tests.http_edge.serving import Reply

LISTINGS = (
    "/admin/actors",
    "/admin/registry",
    "/admin/channels",
    "/admin/timers",
    "/admin/background",
    "/admin/breakers",
    "/admin/breakers/room.CallGuest",
    "/admin/dead-letters",
)
REPLAY = "/admin/dead-letters/{}/replay"
LETTER = "/admin/dead-letters/{}"


async def test_no_admin_address_answers_without_the_token() -> None:
    """Missing, wrong, cut, or under another scheme: 401, and how to authenticate."""
    async with serving() as served:
        wrong = [
            None,
            "",
            "Bearer",
            "Bearer ",
            f"Bearer {served.token[:-1]}",
            f"Bearer {served.token}x",
            f"Basic {served.token}",
            served.token,
            "Bearer é",
        ]
        actions = [("POST", f"/admin/actors/room/{name}") for name in ("kill", "restart")]
        actions += [("POST", "/admin/breakers/room.CallGuest")]
        actions += [("POST", REPLAY.format("letter-0")), ("DELETE", LETTER.format("letter-0"))]
        for header in wrong:
            headers = {} if header is None else {"Authorization": header}
            for method, path in [*(("GET", path) for path in LISTINGS), *actions]:
                reply = await served.send(method, path, headers=headers)
                is_problem(reply, 401)
                assert reply.headers["WWW-Authenticate"].startswith("Bearer")
        assert served.system.signals == []
        assert "letter-0" in served.system.letters


async def test_an_operator_is_answered_by_his_deadline() -> None:
    """Also where a service that hangs would have to say something; a backup takes its time."""
    async with serving() as served:

        async def never(*_: Any) -> Any:
            await asyncio.get_running_loop().create_future()

        async def slow(*_: Any) -> Any:
            await asyncio.sleep(0.1)
            return ["done"]

        served.system.channels = never  # type: ignore[method-assign]
        served.system.backup = slow  # type: ignore[method-assign, assignment]
        headers = {"X-Request-Timeout": "0.05", "Authorization": f"Bearer {served.token}"}
        async with asyncio.timeout(20.0):
            is_problem(await served.send("GET", "/admin/channels", headers=headers), 504)
            order = {"dir": "/somewhere"}
            backup = await served.send("POST", "/admin/backup", headers=headers, json=order)
        assert backup.status == 201


async def test_a_time_out_of_what_an_operator_asked_is_not_his_deadline() -> None:
    """It is a bug of ours like any other, and is told as one."""
    async with serving() as served:

        async def impatient(*_: Any) -> Any:
            raise TimeoutError

        served.system.channels = impatient  # type: ignore[method-assign]
        is_problem(await served.admin("GET", "/admin/channels"), 500)


async def test_what_an_operator_looks_at_is_lists() -> None:
    """Each is {"items", "next"} of what the kernel says, as it says it."""
    async with serving() as served:
        actors = await served.admin("GET", "/admin/actors")
        assert actors.status == 200
        assert actors.json["next"] is None
        assert actors.json["items"][0] == {"name": "root", "state": "running"}
        registry = await served.admin("GET", "/admin/registry")
        assert registry.json["items"] == [{"name": "room", "state": "running"}]
        channels = await served.admin("GET", "/admin/channels")
        assert channels.json == {
            "items": [{"sender": "booking", "receiver": "room", "depth": 3}],
            "next": None,
        }
        timers = await served.admin("GET", "/admin/timers")
        assert timers.json["items"] == [{"service": "room", "pending": 2, "next_due_us": None}]
        background = await served.admin("GET", "/admin/background")
        assert background.json == {"state": "open"}
        for query, count in [("", 50), ("?limit=3", 3), ("?limit=200", 200)]:
            letters = await served.admin("GET", f"/admin/dead-letters{query}")
            assert len(letters.json["items"]) == count


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "", "1e1", "9" * 100, "%D9%A3"])
async def test_a_bad_limit_is_named(limit: str) -> None:
    """As for every other list."""
    async with serving() as served:
        reply = await served.admin("GET", f"/admin/dead-letters?limit={limit}")
        is_problem(reply, 422, "limit")


async def test_a_breaker_is_forced_until_that_is_lifted() -> None:
    """Each order is answered with how it stands; what is no state, or no breaker, is named."""
    path = "/admin/breakers/room.CallGuest"
    async with serving() as served:
        as_it_was = (await served.admin("GET", path)).json
        assert (as_it_was["state"], as_it_was["forced"]) == ("closed", None)
        assert as_it_was["retry_after_s"] == 0.0
        listed = (await served.admin("GET", "/admin/breakers")).json["items"]
        assert listed[0] == as_it_was
        for state in ("open", "closed"):
            reply = await served.admin("POST", path, json={"state": state})
            assert (reply.status, reply.json["forced"]) == (200, state)
            assert reply.json["state"] == state
            assert (await served.admin("GET", path)).json == reply.json
        assert (await served.admin("POST", path, json={"state": "auto"})).json == as_it_was
        wrong: list[Any] = [{"state": "half_open"}, {"state": "open", "for_s": 1}, {}, []]
        for body in wrong:
            reply = await served.admin("POST", path, json=body)
            assert reply.status in {400, 422}
        reply = await served.admin("POST", path, json={"state": "half_open"})
        assert reply.json["detail"].endswith('one of "auto", "closed", "open"')
        is_problem(await served.admin("GET", "/admin/breakers/room"), 404, "name")
        nobody = await served.admin("POST", "/admin/breakers/room", json={"state": "open"})
        is_problem(nobody, 404, "name")
        assert (await served.admin("GET", path)).json == as_it_was


@pytest.mark.parametrize("action", ["kill", "restart", "suspend", "resume"])
async def test_each_action_reaches_its_actor(action: str) -> None:
    """202, naming what was done to whom; an unknown actor is a 404."""
    async with serving() as served:
        reply = await served.admin("POST", f"/admin/actors/room/{action}")
        assert (reply.status, reply.json) == (202, {"actor": "room", "action": action})
        assert served.system.signals == [(action, "room")]
        is_problem(await served.admin("POST", f"/admin/actors/nobody/{action}"), 404, "name")


async def test_what_cannot_be_read_is_let_go_by_its_type() -> None:
    """Messages in their own time, timers at once; what does not wait, or fit, is a 409."""
    orders = {
        "/admin/channels/let-go": {"sender": "room", "receiver": "booking"},
        "/admin/timers/let-go": {"service": "room"},
    }
    async with serving() as served:

        async def order(path: str, **fields: object) -> Reply:
            return await served.admin("POST", path, data=json.dumps(fields).encode())

        said = []
        for path, about in orders.items():
            reply = await order(path, **about, message_type="HoldRoom")
            said.append((reply.status, reply.json))
        told = {"message_type": "HoldRoom"}
        channel, timers = orders.values()
        assert said == [
            (202, {**channel, **told, "action": "let_go"}),
            (200, {**timers, **told, "letters": 2}),
        ]
        done = [("let go to booking: HoldRoom", "room"), ("let timers go: HoldRoom", "room")]
        assert served.system.signals == done
        for path, about in orders.items():
            (field, *_) = about
            is_problem(await order(path, **{**about, field: "nobody"}, **told), 404, field)
            for reason in ("Readable", "TooMany"):
                is_problem(await order(path, **about, message_type=reason), 409)
            is_problem(await order(path, **about), 422, "message_type")
            is_problem(await order(path, **about, message_type=""), 422, "message_type")
            is_problem(await order(path, **about, **told, more=1), 422, "more")
            is_problem(await served.admin("POST", path, data=b""), 400)
            assert (await served.send("POST", path, data=b"{}")).status == 401


async def test_a_suspension_lasts_as_long_as_its_body_says() -> None:
    """`for_s` reaches the kernel; without it, until somebody resumes; nonsense is a 422."""
    async with serving(suspend_s_max=60.0) as served:
        path = "/admin/actors/room/suspend"
        reply = await served.admin("POST", path, data=b'{"for_s": 2.5}')
        told = {"actor": "room", "action": "suspend", "for_s": 2.5}
        assert (reply.status, reply.json) == (202, told)
        for data in (b"", b"{}", b'{"for_s": null}'):
            reply = await served.admin("POST", path, data=data)
            assert (reply.status, reply.json) == (202, {"actor": "room", "action": "suspend"})
        assert served.system.signals == [("suspend for 2.5 s", "room"), *[("suspend", "room")] * 3]
        for value in ("0", "-1", '"5"', "true", "60.001", "1e400", "[]"):
            wrong = await served.admin("POST", path, data=f'{{"for_s": {value}}}'.encode())
            assert wrong.status in {400, 422}, (value, wrong.body)
            if value != "1e400":
                is_problem(wrong, 422, "for_s")
        is_problem(await served.admin("POST", path, data=b'{"surprise": 1}'), 422, "surprise")
        is_problem(await served.admin("POST", path, data=b"{"), 400)
        assert len(served.system.signals) == 4


@pytest.mark.parametrize("action", ["kill", "restart"])
async def test_the_root_goes_only_where_it_is_named_twice(action: str) -> None:
    """Every service goes along with it: 422 that says so, unless `?confirm=root`."""
    async with serving() as served:
        path = f"/admin/actors/root/{action}"
        for query in ("", "?confirm=", "?confirm=yes", "?confirm=room"):
            reply = await served.admin("POST", path + query)
            is_problem(reply, 422, "confirm")
            assert "?confirm=root" in reply.json["detail"]
        is_problem(await served.admin("POST", path + "?confirm=root&x=1"), 422, "x")
        assert served.system.signals == []
        assert (await served.admin("POST", path + "?confirm=root")).status == 202
        assert served.system.signals == [(action, "root")]
        other = await served.admin("POST", f"/admin/actors/room/{action}?confirm=room")
        is_problem(other, 422, "confirm")


async def test_an_operation_that_makes_no_sense_is_a_conflict() -> None:
    """The kernel says why."""
    async with serving() as served:
        reply = await served.admin("POST", "/admin/actors/root/suspend")
        is_problem(reply, 409)
        assert "supervisor" in reply.json["detail"]


async def test_a_dead_letter_is_replayed_once() -> None:
    """200 with what became of it, refused or handled; the letter is gone, a second time a 404."""
    async with serving() as served:
        for letter, quoted, outcome in [
            ("letter-0", "letter-0", "handled"),
            ("spaced/é", "spaced%2F%C3%A9", "refused"),
        ]:
            reply = await served.admin("POST", REPLAY.format(quoted))
            assert (reply.status, reply.json) == (200, {"letter_id": letter, "outcome": outcome})
            again = await served.admin("POST", REPLAY.format(quoted))
            is_problem(again, 404, "id")
            assert again.json["type"] == "/problems/no-such-letter"


async def test_a_letter_that_cannot_be_replayed_is_a_conflict() -> None:
    """One that is kept as text only; it stays, and may be discarded."""
    async with serving() as served:
        reply = await served.admin("POST", REPLAY.format("memory-1"))
        is_problem(reply, 409, "id")
        assert reply.json["type"] == "/problems/letter-not-replayable"
        assert "memory" in reply.json["detail"]
        assert (await served.admin("DELETE", LETTER.format("memory-1"))).status == 200


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (errors.DeadLettered("crashed again", letter_id="letter-0"), 503, "dead-lettered"),
        (errors.DeadlineExceeded("late"), 504, "deadline-exceeded"),
        (errors.ServiceUnavailable("parked", retry_after_s=3), 503, "service-unavailable"),
        (errors.MailboxFull("full", retry_after_s=3), 503, "mailbox-full"),
        (errors.OutboxFull("room is down", retry_after_s=3), 503, "service-unavailable"),
        (errors.NoSuchActor("no service room any more"), 503, "service-unavailable"),
        (errors.StoreRefused("disk full"), 503, "store-refused"),
        (errors.ActorError("it is being replayed"), 409, "conflict"),
    ],
)
async def test_a_replay_fails_as_an_ask_does(error: Exception, status: int, kind: str) -> None:
    """Each error by its own type; what no ask ends in says why it cannot be now."""
    async with serving() as served:
        served.system.letters["letter-0"] = error
        reply = await served.admin("POST", REPLAY.format("letter-0"))
        is_problem(reply, status)
        assert reply.json["type"] == f"/problems/{kind}"
        assert reply.json["detail"] == str(error)
        wanted = "3" if isinstance(error, errors.Busy) else None
        if kind != "store-refused":
            assert reply.headers.get("Retry-After") == wanted
        assert "letter-0" in served.system.letters


async def test_a_dead_letter_is_discarded_once() -> None:
    """200, naming it; a second time, or one that never was, is a 404."""
    async with serving() as served:
        reply = await served.admin("DELETE", LETTER.format("letter-0"))
        assert (reply.status, reply.json) == (200, {"letter": "letter-0", "action": "discard"})
        assert "letter-0" not in served.system.letters
        for letter in ("letter-0", "nothing", "%00", ""):
            is_problem(await served.admin("DELETE", LETTER.format(letter)), 404, "id")
