"""Addresses to handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from http_edge.address_table import AddressTable
from http_edge.problems import ProblemError

if TYPE_CHECKING:
    from http_edge.address import HttpHandler

HANDLER = cast("HttpHandler", object())


def table(*templates: str) -> AddressTable:
    made = AddressTable()
    for template in templates:
        made.add("GET", template, HANDLER)
    return made


def test_a_literal_wins_over_a_parameter() -> None:
    """`/things/new` is not the thing called new."""
    found = table("/things/{id}", "/things/new").match("/things/new")
    assert found.params == {}


def test_a_rest_takes_all_that_is_left() -> None:
    """Slashes, raw or escaped, and nothing at all."""
    match = table("/a/{x}/{rest*}").match
    assert match("/a/1/2/3%2F4").params == {"x": "1", "rest": "2/3/4"}
    assert match("/a/1/").params == {"x": "1", "rest": ""}
    with pytest.raises(ProblemError):
        match("/a/1")


def test_an_escaped_slash_is_no_separator() -> None:
    """It is decoded after the path was split."""
    assert table("/a/{x}").match("/a/b%2Fc").params == {"x": "b/c"}


def test_tables_that_contradict_each_other_are_refused() -> None:
    """The same address twice, or one segment with two names."""
    with pytest.raises(ValueError, match="two rows"):
        table("/a", "/a")
    with pytest.raises(ValueError, match=r"{x}, and not {y}"):
        table("/a/{x}", "/a/{y}/b")
