"""Services that share a fate, and those that stand by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from actors.errors import ConfigError
from actors.kernel.supervision.child_spec import ChildSpec, SupervisorSpec
from actors.service.group import Group, grouped

if TYPE_CHECKING:
    from actors.kernel.behavior import Behavior


def child(name: str) -> ChildSpec:
    def make() -> Behavior:
        raise NotImplementedError

    return ChildSpec(name=name, factory=make)


CHILDREN = {
    "a": [child("a")],
    "b": [child("b-1"), child("b-2")],
    "c": [child("c")],
}


def test_a_group_stands_where_its_first_service_stood() -> None:
    """Its services in the group's order, each with all its replicas; the others as they were."""
    group = Group(name="pair", services=("c", "b"), strategy="rest_for_one", intensity=1)
    first, pair = grouped(CHILDREN, [group])
    assert first.name == "a"
    assert isinstance(pair, SupervisorSpec)
    assert [each.name for each in pair.children] == ["c", "b-1", "b-2"]
    assert (pair.name, pair.strategy, pair.intensity) == ("pair", "rest_for_one", 1)


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        ([Group(name="g", services=("z",))], "group g: there is no service 'z'"),
        (
            [Group(name="g", services=("a",)), Group(name="h", services=("a",))],
            "group h: 'a' is in g already",
        ),
        (
            [Group(name="g", services=("a",)), Group(name="g", services=("b",))],
            "group g: a service, another group or the root is called so",
        ),
        ([Group(name="a", services=("a",))], "group a: a service, another group or the root"),
        ([Group(name="root", services=("a",))], "group root: a service, another group or"),
        ([Group(name="b-1", services=("b",))], "group b-1: call it with a-z"),
        (
            [Group(name="g", services=("a",), strategy=cast("Any", "one-for-all"))],
            "group g: there is no strategy 'one-for-all' but one_for_one, one_for_all, rest_for",
        ),
        ([Group(name="g", services=("a",), intensity=-1)], "group g: intensity is how many"),
        ([Group(name="g", services=("a",), period_s=-1.0)], "group g: period_s is above 0"),
    ],
)
def test_a_group_that_cannot_be_is_named(groups: list[Group], says: str) -> None:
    """Before anything starts."""
    with pytest.raises(ConfigError, match=says):
        grouped(CHILDREN, groups)
