"""docs/examples: each is as short as promised, boots as it is, and forgets nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.elsewhere import running_at_port
from tests.system.process import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from actors.testing.live import Live

EXAMPLES = ROOT / "docs" / "examples"
# Non-blank lines, imports among them.
LINES_MAX = {"notes.py": 20, "orders.py": 60, "shop.py": 60, "stock_server.py": 30}


def test_each_is_as_short_as_promised() -> None:
    """A first durable service on HTTP in twenty lines; a saga, or a remote service, in sixty."""
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


@pytest.mark.real_time
def test_stock_that_is_kept_elsewhere_is_asked_for_and_taken(live: Live, tmp_path: Path) -> None:
    """By a server of the standard library; what it has no more is refused to the order."""
    with running_at_port(EXAMPLES / "stock_server.py", tmp_path) as stock:
        shop = live(str(EXAMPLES / "shop.py"), f"shop.stock_url={stock.url}")
        orders = [shop.client.post("/orders", json={"sku": "tea"}).text for _ in range(4)]
        shop.rest()
        states = [shop.client.get(f"/orders/{order}").text for order in orders]
        assert states == ["ordered"] * 3 + ["there is no tea left"]
        assert shop.client.get("/stock/tea").json() == {"left": 0}
        assert shop.client.get("/stock/cups").json() == {"left": 3}
