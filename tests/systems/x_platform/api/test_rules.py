"""The stream's rules over HTTP, as X's clients add, list and delete them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.systems.x_platform.api.embedded_x import RULES, embedded_x, is_invalid

PROBLEMS = "https://api.x.com/2/problems"
SENT = "2026-09-21T14:13:20.000Z"


async def test_an_empty_list_has_no_data() -> None:
    """Only a meta that says how many there are."""
    async with embedded_x() as x:
        assert await x.get(RULES) == {"meta": {"sent": SENT, "result_count": 0}}


async def test_what_is_added_is_listed_and_deleted() -> None:
    """201 with the rules and their ids; a rule without a tag has none; 200 for what is gone."""
    async with embedded_x() as x:
        body = {"add": [{"value": "cats", "tag": "pets"}, {"value": "from:ada"}]}
        reply = await x.post(RULES, body, x.app)
        assert reply.status == 201
        added = reply.json["data"]
        assert [{**rule, "id": ""} for rule in added] == [
            {"id": "", "value": "cats", "tag": "pets"},
            {"id": "", "value": "from:ada"},
        ]
        assert reply.json["meta"] == {
            "sent": SENT,
            "summary": {"created": 2, "not_created": 0, "valid": 2, "invalid": 0},
        }
        assert "errors" not in reply.json
        listed = await x.get(RULES)
        assert listed == {"data": added, "meta": {"sent": SENT, "result_count": 2}}
        first = added[0]["id"]
        assert (await x.get(f"{RULES}?ids={first},7"))["data"] == added[:1]
        reply = await x.post(RULES, {"delete": {"ids": [first]}}, x.app)
        assert reply.status == 200
        summary = {"deleted": 1, "not_deleted": 0}
        assert reply.json == {"meta": {"sent": SENT, "summary": summary}}
        reply = await x.post(RULES, {"delete": {"values": ["from:ada"]}}, x.app)
        assert reply.json["meta"]["summary"] == summary
        assert "data" not in await x.get(RULES)


async def test_what_cannot_be_added_is_an_error_in_an_answer_of_success() -> None:
    """Doubles name the rule that they repeat, invalid rules say why; the others are added."""
    async with embedded_x() as x:
        (first,) = await x.add_rules("cats")
        values = ["cats", "(dogs", "x" * 1025, "mice"]
        reply = await x.post(RULES, {"add": [{"value": value} for value in values]}, x.app)
        assert reply.status == 201
        assert [rule["value"] for rule in reply.json["data"]] == ["mice"]
        summary = {"created": 1, "not_created": 3, "valid": 1, "invalid": 3}
        assert reply.json["meta"]["summary"] == summary
        double, invalid, long = reply.json["errors"]
        assert double == {
            "value": "cats",
            "id": first,
            "title": "DuplicateRule",
            "type": f"{PROBLEMS}/duplicate-rules",
        }
        for error, value in ((invalid, "(dogs"), (long, "x" * 1025)):
            assert error["details"]
            assert {**error, "details": []} == {
                "value": value,
                "details": [],
                "title": "UnprocessableEntity",
                "type": f"{PROBLEMS}/invalid-rules",
            }


async def test_nothing_but_doubles_is_no_failure() -> None:
    """A client that adds its rules at each start gets a 2xx and no data."""
    async with embedded_x() as x:
        await x.add_rules("cats")
        reply = await x.post(RULES, {"add": [{"value": "cats"}]}, x.app)
        assert reply.status == 201
        assert "data" not in reply.json
        assert reply.json["errors"][0]["title"] == "DuplicateRule"


async def test_what_is_no_rule_is_not_deleted_and_said_so() -> None:
    """By id and by value; the rest is deleted."""
    async with embedded_x() as x:
        (first,) = await x.add_rules("cats")
        reply = await x.post(RULES, {"delete": {"ids": ["7", first]}}, x.app)
        assert reply.status == 200
        assert reply.json["meta"]["summary"] == {"deleted": 1, "not_deleted": 1}
        (error,) = reply.json["errors"]
        assert error["errors"] == [{"parameters": {"id": ["7"]}, "message": "Rule does not exist"}]
        assert error["type"] == f"{PROBLEMS}/invalid-request"
        reply = await x.post(RULES, {"delete": {"values": ["dogs"]}}, x.app)
        assert reply.json["errors"][0]["errors"][0]["parameters"] == {"value": ["dogs"]}


@pytest.mark.parametrize("word", ["true", "True"])
async def test_a_dry_run_changes_nothing(word: str) -> None:
    """It says what would come of it, in adding and in deleting."""
    async with embedded_x() as x:
        (first,) = await x.add_rules("cats")
        path = f"{RULES}?dry_run={word}"
        reply = await x.post(path, {"add": [{"value": "dogs"}, {"value": "("}]}, x.app)
        summary = {"created": 1, "not_created": 1, "valid": 1, "invalid": 1}
        assert (reply.status, reply.json["meta"]["summary"]) == (201, summary)
        reply = await x.post(path, {"delete": {"ids": [first]}}, x.app)
        assert reply.json["meta"]["summary"] == {"deleted": 1, "not_deleted": 0}
        assert [rule["value"] for rule in (await x.get(RULES))["data"]] == ["cats"]


async def test_more_rules_than_there_may_be_are_refused() -> None:
    """X's RulesCapExceeded, which is no success; what still fits is added."""
    async with embedded_x(rules_max=2) as x:
        await x.add_rules("cats")
        reply = await x.post(RULES, {"add": [{"value": "dogs"}, {"value": "mice"}]}, x.app)
        assert reply.status == 201
        assert [rule["value"] for rule in reply.json["data"]] == ["dogs"]
        (error,) = reply.json["errors"]
        assert (error["value"], error["title"]) == ("mice", "RulesCapExceeded")
        reply = await x.post(RULES, {"add": [{"value": "mice"}]}, x.app)
        assert reply.status == 422
        assert reply.json["title"] == "RulesCapExceeded"
        assert reply.json["type"] == f"{PROBLEMS}/rule-cap"
        assert len((await x.get(RULES))["data"]) == 2


@pytest.mark.parametrize(
    ("body", "parameter", "words"),
    [
        ({}, "$", "exactly one of [add,delete]"),
        ({"add": [{"value": "a"}], "delete": {"ids": ["1"]}}, "$", "exactly one of [add,delete]"),
        ({"add": []}, "$.add", "not between 1 and 1000"),
        ({"add": [{"tag": "a"}]}, "$.add[0].value", "is missing but it is required"),
        ({"add": [{"value": 7}]}, "$.add[0].value", "Expected str, got int"),
        ({"add": [{"value": "a", "id": "7"}]}, "$.add[0].id", "does not allow additional"),
        ({"add": {"value": "a"}}, "$.add", "Expected array"),
        ({"delete": {}}, "$.delete", "one of [ids,values]"),
        ({"delete": {"ids": [7]}}, "$.delete.ids[0]", "Expected str, got int"),
        ({"delete": ["7"]}, "$.delete", "Expected object"),
        ({"remove": {}}, "$.remove", "not defined in the schema"),
        ({"add": [{"value": "a\0b"}]}, "$", "NUL"),
        ([], "$", "Expected object"),
    ],
)
async def test_a_body_that_does_not_fit_is_named(body: Any, parameter: str, words: str) -> None:
    """By the path of the field, in an answer of X's form."""
    async with embedded_x() as x:
        is_invalid(await x.post(RULES, body, x.app), parameter, words)


async def test_a_body_is_json_and_says_so() -> None:
    """X looks at the type that is said, and then at what it is."""
    async with embedded_x() as x:
        path, headers = RULES, {**x.app, "Content-Type": "text/plain"}
        reply = await x.send("POST", path, data=b'{"add":[{"value":"a"}]}', headers=headers)
        assert reply.status == 400
        message = "Requests with bodies must have content-type of application/json."
        assert reply.json["errors"] == [{"parameters": {}, "message": message}]
        headers["Content-Type"] = "application/json; charset=utf-8"
        reply = await x.send("POST", path, data=b'{"add":[{"value":"a"}]}', headers=headers)
        assert reply.status == 201
        for data in (b"", b"{", b"\xff", b"[" * 2000, b'{"add":[{"value":"\\ud800"}]}', b"null"):
            is_invalid(await x.send("POST", path, data=data, headers=headers), "$")


async def test_parameters_that_there_are_not_are_named() -> None:
    """With those that there are; and what a flag can be."""
    async with embedded_x() as x:
        is_invalid(
            await x.send("GET", f"{RULES}?id=1", headers=x.app),
            "id",
            "is not one of [ids,max_results,pagination_token]",
        )
        is_invalid(await x.send("GET", f"{RULES}?ids=a", headers=x.app), "ids", "is not valid")
        is_invalid(await x.send("GET", f"{RULES}?ids=", headers=x.app), "ids", "not be empty")
        reply = await x.post(f"{RULES}?dry_run=maybe", {"add": [{"value": "a"}]}, x.app)
        is_invalid(reply, "dry_run", "[maybe] is not one of [true,false]")


async def test_rules_are_counted_against_their_caps() -> None:
    """X's counts are texts, but for an app's own; only those that are asked for are shown."""
    async with embedded_x() as x:
        await x.add_rules("cats", "dogs")
        counts = (await x.get(f"{RULES}/counts"))["data"]
        assert counts == {
            "cap_per_client_app": "1000",
            "cap_per_project": "1000",
            "client_app_rules_count": {"client_app_id": "1", "rule_count": 2},
            "project_rules_count": "2",
            "all_project_client_apps": [{"client_app_id": "1", "rule_count": 2}],
        }
        one = await x.get(f"{RULES}/counts?rules_count.fields=project_rules_count")
        assert one == {"data": {"project_rules_count": "2"}}
        wrong = await x.send("GET", f"{RULES}/counts?rules_count.fields=x", headers=x.app)
        is_invalid(wrong, "rules_count.fields", "is not one of")


async def test_rules_are_listed_page_by_page() -> None:
    """In the order of their making; the last page has no token."""
    async with embedded_x() as x:
        ids = await x.add_rules("cats", "dogs", "mice")
        first = await x.get(f"{RULES}?max_results=2")
        assert [rule["id"] for rule in first["data"]] == ids[:2]
        token = first["meta"]["next_token"]
        last = await x.get(f"{RULES}?max_results=2&pagination_token={token}")
        assert [rule["id"] for rule in last["data"]] == ids[2:]
        assert "next_token" not in last["meta"]
        for query, name in (
            ("max_results=0", "max_results"),
            ("pagination_token=x", "pagination_token"),
        ):
            is_invalid(await x.send("GET", f"{RULES}?{query}", headers=x.app), name)


async def test_all_rules_can_be_deleted_at_once() -> None:
    """By a parameter, whatever the body deletes; not while it adds."""
    async with embedded_x() as x:
        await x.add_rules("cats", "dogs")
        body = {"delete": {"ids": ["7"]}}
        dry = await x.post(f"{RULES}?delete_all=true&dry_run=true", body, x.app)
        assert dry.json["meta"]["summary"] == {"deleted": 2, "not_deleted": 0}
        assert len((await x.get(RULES))["data"]) == 2
        add = {"add": [{"value": "mice"}]}
        is_invalid(await x.post(f"{RULES}?delete_all=true", add, x.app), "delete_all")
        reply = await x.post(f"{RULES}?delete_all=true", body, x.app)
        assert reply.json["meta"]["summary"] == {"deleted": 2, "not_deleted": 0}
        assert "data" not in await x.get(RULES)
