"""A fault for the length of a block: put in, held by its lease, taken out, whatever happens."""

from __future__ import annotations

import threading
from email.message import Message
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from actors.testing import live_fault
from actors.testing.http_client import HttpReply
from actors.testing.live_fault import LiveFault
from actors.testing.live_process import NotLive

if TYPE_CHECKING:
    from collections.abc import Iterator

ORDER = {"kind": "error", "service": "b"}


class Operator:
    """Answers as the addresses of faults do, and notes what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 201
        self.is_gone = False
        self.renewed = threading.Event()

    def __call__(self, method: str, path: str, json: Any = None) -> HttpReply:
        if self.is_gone:
            raise ConnectionRefusedError
        self.asked.append(f"{method} {path}")
        if path.endswith("/renew"):
            self.renewed.set()
        if json is not None:
            assert json == {**ORDER, "lease_s": 2.0}
            return self._reply(self.status, {"id": "f1", "hits": 0})
        return self._reply(200, {"id": "f1", "hits": 7})

    @staticmethod
    def _reply(status: int, body: Any) -> HttpReply:
        return HttpReply(status, Message(), msgspec.json.encode(body))


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
    monkeypatch.setattr(live_fault, "RENEW_S", 0.001)
    yield Operator()
    assert not [each for each in threading.enumerate() if each.name == "lease"]


def test_it_is_on_within_its_block(operator: Operator) -> None:
    """And off after it, also where the test fails within."""
    fault = LiveFault(operator, ORDER)

    def fails_within() -> None:
        with fault:
            assert operator.renewed.wait(60)
            assert fault.hits == 7
            raise LookupError

    with pytest.raises(LookupError):
        fails_within()
    assert operator.asked[0] == "POST /admin/faults"
    assert operator.asked[-1] == "DELETE /admin/faults/f1"
    count = len(operator.asked)
    assert (fault.hits, len(operator.asked)) == (7, count)


async def test_a_coroutine_has_one_too(operator: Operator) -> None:
    async with LiveFault(operator, ORDER) as fault:
        assert operator.renewed.wait(60)
    assert operator.asked[-1] == "DELETE /admin/faults/f1"
    assert fault.hits == 7


def test_what_is_refused_says_so_and_who_is_gone_has_none(operator: Operator) -> None:
    """A process that a test has killed has no fault any more."""
    with LiveFault(operator, ORDER):
        operator.is_gone = True
    operator.is_gone, operator.status = False, 422
    with pytest.raises(NotLive, match="422"), LiveFault(operator, ORDER):
        pass
