"""docs/examples: each is as short as promised, boots as it is, and forgets nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.process import ROOT

if TYPE_CHECKING:
    from actors.testing.live import Live

EXAMPLES = ROOT / "docs" / "examples"
# Non-blank lines, imports among them.
LINES_MAX = {"notes.py": 20, "orders.py": 60}


def test_each_is_as_short_as_promised() -> None:
    """A first durable service on HTTP in twenty lines; a saga over two services in sixty."""
    lines = {
        path.name: sum(1 for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
        for path in EXAMPLES.glob("*.py")
    }
    assert lines.keys() == LINES_MAX.keys()
    assert {name: count for name, count in lines.items() if count > LINES_MAX[name]} == {}


@pytest.mark.real_time
def test_notes_survive_a_kill(live: Live) -> None:
    """What was acknowledged is there, in order."""
    notes = live(str(EXAMPLES / "notes.py"))
    texts = ["tea", "cups"]
    assert [notes.client.post("/notes", json={"text": text}).text for text in texts] == ["1", "2"]
    notes.kill_process()
    assert notes.restart().client.get("/notes").json() == texts


@pytest.mark.real_time
def test_an_order_is_charged_whatever_is_killed(live: Live) -> None:
    """Killed as soon as it is acknowledged, wherever its messages are, it goes on to its end."""
    orders = live(str(EXAMPLES / "orders.py"))
    order_id = orders.client.post("/orders", json={"item": "tea", "cents": 250}).text
    orders.kill_process()
    orders.restart().rest()
    assert orders.client.get(f"/orders/{order_id}").text == f"250 cents for {order_id}"
