"""The stream's rules: added in part, reported in full, counted, deleted, tried without effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.systems.x_platform.messages import (
    AddRules,
    DeleteRules,
    ListRules,
    NewRule,
    RulesAdded,
    RulesDeleted,
    XRule,
)
from actors.systems.x_platform.rules.rule_parser import parse_rule
from tests.systems.x_platform.platform_stage import Platform, platform

if TYPE_CHECKING:
    from pathlib import Path


def adding(*values: str, dry_run: bool = False) -> AddRules:
    return AddRules(rules=tuple(NewRule(value=each) for each in values), dry_run=dry_run)


async def standing(x: Platform) -> dict[str, str]:
    rules = await x.ask(ListRules())
    return {rule.id: rule.value for rule in rules.rules}


async def test_rules_are_listed_in_the_order_of_their_making(tmp_path: Path) -> None:
    """With their tags; all, or those asked for."""
    async with platform(tmp_path) as x:
        assert (await x.ask(ListRules())).rules == ()
        (b,) = (await x.ask(AddRules(rules=(NewRule(value="bb", tag="t"),)))).created
        (c,) = await x.add("cc")
        assert (await x.ask(ListRules())).rules == (b, c)
        assert (b.value, b.tag, c.tag) == ("bb", "t", None)
        assert (await x.ask(ListRules(ids=(c.id, "1", "no number")))).rules == (c,)
        assert int(b.id) < int(c.id)


async def test_each_rule_is_judged_by_itself(tmp_path: Path) -> None:
    """One bad rule keeps no other from being added; each says what is wrong with it."""
    async with platform(tmp_path, rules_max=3, rule_chars_max=20) as x:
        (first,) = await x.add("cat")
        added = await x.ask(adding("dog", "cat", "-bird", "dog", "x" * 21, "fish", "cow", "x" * 20))
        dog, fish = added.created
        assert [rule.value for rule in added.created] == ["dog", "fish"]
        troubles = {(each.fault, each.value): each for each in added.troubles}
        assert set(troubles) == {
            ("duplicate", "cat"),
            ("invalid", "-bird"),
            ("duplicate", "dog"),
            ("too_long", "x" * 21),
            ("too_many", "cow"),
            ("too_many", "x" * 20),
        }
        assert troubles["duplicate", "cat"].rule_id == first.id
        assert troubles["duplicate", "dog"].rule_id == dog.id
        assert len(troubles["invalid", "-bird"].details) == 2
        assert "20" in troubles["too_long", "x" * 21].details[0]
        assert list(await standing(x)) == [first.id, dog.id, fish.id]


async def test_a_deleted_rule_makes_room_and_may_come_back(tmp_path: Path) -> None:
    """By id or by value, each counted once; what was not there is said."""
    async with platform(tmp_path, rules_max=2) as x:
        cat, dog = await x.add("cat", "dog")
        message = DeleteRules(ids=(cat.id, "7", "x", "7"), values=("cat", "bird"))
        expected = RulesDeleted(deleted=(cat.id,), unknown=("7", "x", "bird"))
        for dry_run in (True, False):
            reply = await x.ask(
                DeleteRules(ids=message.ids, values=message.values, dry_run=dry_run)
            )
            assert reply == expected
            assert len(await standing(x)) == (2 if dry_run else 1)
        assert (await x.ask(message)).deleted == ()
        (again,) = await x.add("cat")
        assert int(again.id) > int(dog.id)


values = st.lists(
    st.sampled_from(["cat", "dog", "-cat", "cow ", "cow", "has:links", "bird", "x" * 30]),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25)  # each opens a store
@given(st.lists(values, max_size=3), values)
async def test_a_dry_run_reports_the_same_and_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, before: list[list[str]], tried: list[str]
) -> None:
    """Whatever stands already: the same ids, even."""
    folder = tmp_path_factory.mktemp("dry")
    async with platform(folder, rules_max=4, rule_chars_max=25) as x:
        for each in before:
            await x.ask(adding(*each))
        stood, head = await standing(x), await x.head()
        report = await x.ask(adding(*tried, dry_run=True))
        assert (await standing(x), await x.head()) == (stood, head)
        real = await x.ask(adding(*tried))
        assert isinstance(real, RulesAdded)
        assert real == report
        assert set(await standing(x)) == {*stood, *[rule.id for rule in real.created]}


async def test_rules_hold_from_the_next_tweet_on(tmp_path: Path) -> None:
    """Also within one batch, and one that was deleted matches no more."""
    async with platform(tmp_path) as x:
        await x.tweet("ada", "cat 1")
        (cat,) = await x.add("cat")
        await x.tweet("ada", "cat 2")
        (dog,) = await x.add("dog")
        await x.tweet("ada", "cat and dog 3")
        await x.ask(DeleteRules(ids=(cat.id,)))
        await x.tweet("ada", "cat and dog 4")
        assert [(match.tweet.text[-1], match.rules) for match in await x.matches()] == [
            ("2", (cat,)),
            ("3", (cat, dog)),
            ("4", (dog,)),
        ]


async def test_a_rolled_back_change_of_rules_matches_nothing(tmp_path: Path) -> None:
    """A batch that could not commit leaves no compiled rule behind."""
    async with platform(tmp_path) as x:
        await x.add("dog")
        await x.tweet("ada", "cat 1")
        x.on.execute(
            "CREATE TRIGGER full BEFORE INSERT ON rule BEGIN SELECT RAISE(ROLLBACK, 'full'); END"
        )
        with pytest.raises(Exception, match=r"full|over"):
            await x.on.send(adding("cat"))
        x.on.execute("DROP TRIGGER full")
        await x.tweet("ada", "cat 2")
        await x.tweet("ada", "dog 3")
        assert [match.tweet.text for match in await x.matches()] == ["dog 3"]


async def test_a_stored_rule_that_is_none_any_more_is_left_out(tmp_path: Path) -> None:
    """The language of another version was another; the other rules hold."""
    async with platform(tmp_path) as x:
        (cat,) = await x.add("cat")
        x.on.execute("INSERT INTO rule (id, value) VALUES (1, 'sample:10 cat')")
        await x.add("dog")
        await x.tweet("ada", "cat")
        assert [match.rules for match in await x.matches()] == [(cat,)]


async def test_a_thousand_rules_are_compiled_once(tmp_path: Path) -> None:
    """Not again with each change of one of them."""
    async with platform(tmp_path) as x:
        await x.add(*[f"word{number}" for number in range(1000)])
        await x.tweet("ada", "word7")
        parsed = parse_rule.cache_info().misses
        await x.ask(DeleteRules(values=("word3",)))
        (late,) = await x.add("late")
        await x.tweet("ada", "word7 late word3")
        assert parse_rule.cache_info().misses == parsed + 1
        rules = (await x.matches())[-1].rules
        assert [rule.value for rule in rules] == ["word7", "late"]
        assert rules[-1] == XRule(id=late.id, value="late")
