"""docs/examples: each is as short as promised, boots as it is, and forgets nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from actors.testing.http_client import HttpClient
from tests.system.elsewhere import running_at_port
from tests.system.process import ROOT, SILENCE

if TYPE_CHECKING:
    from pathlib import Path

    from actors.testing.live import Live
    from actors.testing.live_system import LiveSystem
    from tests.system.elsewhere import StockProcess

EXAMPLES = ROOT / "docs" / "examples"
# Non-blank lines, imports among them.
LINES_MAX = {
    "notes.py": 20,
    "orders.py": 60,
    "shop.py": 60,
    "stock_server.py": 30,
    "go_tweets.py": 40,
}
WAIT_S_MAX = 60.0


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


@pytest.mark.real_time
@pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed: golang-go")
def test_what_our_reader_reads_a_service_in_go_stores_once(live: Live, tmp_path: Path) -> None:
    """Down when it was tweeted; and killed when it has stored it."""
    program = tmp_path / "tweets"
    words = ["go", "build", "-o", str(program), str(EXAMPLES / "tweets.go")]
    home = {"GOCACHE": str(tmp_path / "cache"), "GO111MODULE": "off"}
    subprocess.run(words, check=True, env={**os.environ, **home})
    with running_at_port(program, tmp_path) as go:
        monitor = live(f"{EXAMPLES / 'go_tweets.py'}:BOTH", f"go.url={go.url}", *SILENCE)
        monitor.wait_for("stream open")
        told = [_tweet_in_go(monitor, go, f"tutorialedge, {number}") for number in range(3)]
        assert told == [["0"], ["0", "1"], ["0", "1", "2"]]


def _tweet_in_go(monitor: LiveSystem, go: StockProcess, text: str) -> list[str]:
    """Tweet while it is down; return what it has in the end."""
    go.kill()
    headers = {"Authorization": f"Bearer {monitor.token}"}
    body = {"username": "bob", "text": text}
    assert monitor.client.post("/admin/x/tweets", json=body, headers=headers).status == 201
    go.start()
    tweets = HttpClient(lambda: monitor.listeners["tweets"])
    end_s = time.monotonic() + WAIT_S_MAX
    while True:
        rows = tweets.get("/all")
        if rows.status == 200 and text in [each["TWEET"] for each in rows.json()]:
            return [each["TWEET"].split()[-1] for each in rows.json()]
        assert time.monotonic() < end_s, rows.text
        time.sleep(0.1)
