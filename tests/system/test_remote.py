"""A service that is a process of somebody's own, killed, slow and garbling: deadlines and keys."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from actors.service.common_invariants import nothing_is_under_way, read_tables
from tests.system.elsewhere import running_at_port
from tests.system.process import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.testing.live import Live
    from actors.testing.live_system import LiveSystem
    from tests.system.elsewhere import StockProcess

SHOP = str(ROOT / "docs" / "examples" / "shop.py")
PROGRAM = Path(__file__).with_name("stock_process.py")
# Whoever asks has this long, and two processors may be busy with others' tests besides.
DEADLINE_S, SLACK_S = 0.5, 1.0


@pytest.fixture
def stock(tmp_path: Path) -> Iterator[StockProcess]:
    with running_at_port(PROGRAM, tmp_path) as made:
        yield made


class Askers(threading.Thread):
    """Asks for the stock again and again, and notes what came of it and after how long."""

    def __init__(self, shop: LiveSystem) -> None:
        super().__init__()
        self._shop = shop
        self.answers: list[tuple[int, float, Any]] = []
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            begun_s = time.monotonic()
            reply = self._shop.client.request(
                "GET", "/stock/tea", headers={"X-Request-Timeout": str(DEADLINE_S)}
            )
            self.answers.append((reply.status, time.monotonic() - begun_s, reply.json()))
            time.sleep(0.01)

    def end(self) -> None:
        self._ended.set()
        self.join()


def shown_of_remotes(shop: LiveSystem) -> dict[str, set[str]]:
    """Return what /metrics has of them: each series' labels."""
    headers = {"Authorization": f"Bearer {shop.token}"}
    text = shop.client.get("/metrics", headers=headers).text
    rows = re.findall(r"^dress_rehearsal_(remote_\w+)\{(.*)\}", text, re.MULTILINE)
    return {
        name.removesuffix("_bucket"): set(re.findall(r"(\w+)=", labels)) - {"le"}
        for name, labels in rows
        if not name.endswith(("_sum", "_count", "_created"))
    }


def told_of_remotes() -> dict[str, set[str]]:
    """Return what docs/METRICS.md has of them."""
    page = (ROOT / "docs" / "METRICS.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(remote_re\w+)` \| ([^|]*) \|", page, re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}


@pytest.mark.real_time
def test_deadlines_hold_and_what_was_ordered_is_taken_once(live: Live, stock: StockProcess) -> None:
    """Whatever becomes of the process that keeps the stock; and ours is killed besides."""
    shop = live(SHOP, f"shop.stock_url={stock.url}", "breaker.open_s=0.2")
    stock.be("slow")
    begun_s = time.monotonic()
    late = shop.client.get("/stock/tea", headers={"X-Request-Timeout": str(DEADLINE_S)})
    assert (late.status, time.monotonic() - begun_s < DEADLINE_S + SLACK_S) == (504, True)
    askers = Askers(shop)
    askers.start()
    stock.be("mixed")
    orders = []
    for number in range(60):
        sku = "none" if number % 6 == 5 else "tea"
        order = shop.client.post("/orders", json={"sku": sku}, key=f"order-{number}")
        assert order.status == 201  # whatever the stock does: it is another's
        orders.append((int(order.text), sku))
        time.sleep(0.02)
        if number % 20 == 10:
            stock.kill()
            time.sleep(0.1)
            stock.start().be("mixed")
    askers.end()
    shop.kill_process()  # with the most of it on its way
    stock.be("well")
    shop.restart().rest()
    assert stock.taken() == [number for number, sku in orders if sku == "tea"]
    for number, sku in orders:
        state = "there is none left" if sku == "none" else "ordered"
        assert shop.client.get(f"/orders/{number}").text == state
    assert shown_of_remotes(shop) == told_of_remotes()
    assert shop.stop() == 0
    files = {"orders": read_tables(shop.data_dir / "orders.db")}
    assert list(nothing_is_under_way(files, now_us=0)) == []
    assert {200, 503} <= {status for status, _, _ in askers.answers} <= {200, 503, 504}
    assert {body["left"] for status, _, body in askers.answers if status == 200} == {3}
    assert max(took_s for _, took_s, _ in askers.answers) < DEADLINE_S + SLACK_S
