"""A body and an address together, and what the decoder says about what does not fit."""

from __future__ import annotations

import pytest

from actors.kernel.messages import Command
from actors.systems.hotel.messages import Money  # noqa: TC001 - msgspec reads it at run time
from http_edge.decoding import JsonBody
from http_edge.problems import ProblemError


class Resolve(Command, frozen=True, kw_only=True):
    flag_id: str
    number: int
    state: str
    rates: tuple[Money, ...] = ()


def test_a_message_takes_its_fields_from_path_and_body() -> None:
    """Numbers of the path are numbers, whatever text the rest of it is."""
    decoder = JsonBody(Resolve)
    message = decoder.decode(b'{"state":"open"}', {"flag_id": '7"', "number": "12"})
    assert message == Resolve(flag_id='7"', number=12, state="open")


@pytest.mark.parametrize(
    ("body", "params", "field"),
    [
        (b'{"state":"open","flag_id":"8"}', {"flag_id": "7", "number": "1"}, "flag_id"),
        (b'{"state":"open"}', {"flag_id": "7", "number": "x"}, "number"),
        (b"", {"flag_id": "7", "number": "1"}, "state"),
        (
            b'{"state":"o","rates":[{"amount":1,"currency":"EUR"},{"amount":-1,"currency":"EUR"}]}',
            {"flag_id": "7", "number": "1"},
            "rates[1].amount",
        ),
        (b'{"state":"a\\u0000"}', {"flag_id": "7", "number": "1"}, "state"),
        (b'{"state":"a\\udc00"}', {"flag_id": "7", "number": "1"}, "state"),
    ],
)
def test_the_field_at_fault_is_named(
    body: bytes, params: dict[str, str], field: str | None
) -> None:
    """Wherever it stands."""
    with pytest.raises(ProblemError) as caught:
        JsonBody(Resolve).decode(body, params)
    assert caught.value.problem.field == field
    assert caught.value.problem.status == 422


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    """The text backslash, u, 0000 is harmless and stays."""
    message = JsonBody(Resolve).decode(rb'{"state":"\\u0000"}', {"flag_id": "7", "number": "1"})
    assert message == Resolve(flag_id="7", number=1, state=r"\u0000")
