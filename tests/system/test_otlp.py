"""Spans leave for a collector that speaks OpenTelemetry's protocol, and wait for it in vain."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.elsewhere import running_at_port
from tests.system.process import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.testing.http_client import HttpReply
    from actors.testing.live import Live
    from actors.testing.live_system import LiveSystem
    from tests.system.elsewhere import StockProcess

pytestmark = pytest.mark.real_time

SHOP = str(ROOT / "docs" / "examples" / "shop.py")
COLLECTOR = Path(__file__).with_name("collector_process.py")
STOCK = Path(__file__).with_name("stock_process.py")
CALLER = "00f067aa0ba902b7"


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[StockProcess]:
    folder = tmp_path / "collector"
    folder.mkdir()
    with running_at_port(COLLECTOR, folder) as made:
        yield made


@pytest.fixture
def stock(tmp_path: Path) -> Iterator[StockProcess]:
    with running_at_port(STOCK, tmp_path) as made:
        yield made


def order(shop: LiveSystem, number: int) -> HttpReply:
    traceparent = f"00-{number:032x}-{CALLER}-01"
    return shop.client.post(
        "/orders", json={"sku": "tea"}, key=f"{number}", headers={"traceparent": traceparent}
    )


def received(collector: StockProcess) -> list[dict[str, Any]]:
    """Return the spans, each with its service and its attributes as plain values."""
    found = []
    for line in collector.file.read_text(encoding="utf-8").splitlines():
        for resource in json.loads(line)["resourceSpans"]:
            about = _values(resource["resource"])
            assert about["telemetry.sdk.name"] == "opentelemetry"
            for scope in resource["scopeSpans"]:
                assert scope["scope"]["name"] == "dress-rehearsal"
                found += [
                    {**span, "service": about["service.name"], "attributes": _values(span)}
                    for span in scope["spans"]
                ]
    return found


def _values(holder: dict[str, Any]) -> dict[str, Any]:
    return {
        each["key"]: next(iter(each["value"].values())) for each in holder.get("attributes", [])
    }


def _hex(span: dict[str, Any], key: str) -> str:
    return base64.b64decode(span.get(key, "")).hex()


def counted(shop: LiveSystem) -> dict[str, float]:
    """Return what /metrics has of spans, by name and outcome."""
    headers = {"Authorization": f"Bearer {shop.token}"}
    text = shop.client.get("/metrics", headers=headers).text
    rows = re.findall(
        r'^dress_rehearsal_(trace_\w+)(?:\{outcome="(\w+)"\})? (\S+)$', text, re.MULTILINE
    )
    return {f"{name} {outcome}".strip(): float(value) for name, outcome, value in rows}


def test_one_trace_as_another_program_sees_it(
    live: Live, collector: StockProcess, stock: StockProcess
) -> None:
    """What the end of the process finds waiting leaves before it."""
    url = f"trace.otlp.url={collector.url}/v1/traces"
    shop = live(SHOP, f"shop.stock_url={stock.url}", url, "trace.otlp.period_s=60")
    assert order(shop, 7).status == 201
    assert counted(shop)["trace_spans_waiting"] >= 1
    shop.rest()
    assert shop.stop() == 0
    spans = received(collector)
    assert {_hex(each, "traceId") for each in spans} == {f"{7:032x}"}
    by_id = {_hex(each, "spanId"): each for each in spans}
    assert len(by_id) == len(spans)
    told = {(each["service"], each["kind"], each["name"]) for each in spans}
    assert told == {
        ("edge", "SPAN_KIND_SERVER", "POST /orders"),
        ("orders", "SPAN_KIND_SERVER", "PlaceOrder"),
        ("stock", "SPAN_KIND_CLIENT", "POST /stock/{sku}/taken"),
    }
    (request,) = [each for each in spans if each["service"] == "edge"]
    assert _hex(request, "parentSpanId") == CALLER
    assert request["attributes"]["http.route"] == "/orders"
    assert request["attributes"]["http.response.status_code"] == "201"
    for each in spans:
        assert each is request or _hex(each, "parentSpanId") in by_id
        assert int(each["startTimeUnixNano"]) <= int(each["endTimeUnixNano"])
        assert each.get("status", {}) == {}


def test_without_a_collector_nothing_is_lost_here(live: Live, collector: StockProcess) -> None:
    """What does not arrive, or finds no room, is counted and said; and later all arrives again."""
    collector.kill()
    limits = ("send_s_max=0.3", "period_s=0.05", "queue_spans_max=4", "drain_s_max=0.5")
    url = f"url={collector.url}/v1/traces"
    shop = live(SHOP, *(f"trace.otlp.{each}" for each in (url, *limits)))
    assert {order(shop, number).status for number in range(1, 30)} == {201}
    assert (line := shop.wait_for("spans do not arrive"))["reason"], line
    counts = counted(shop)
    assert counts["trace_spans_total failed"] > 0
    assert counts["trace_spans_total dropped"] > 0
    page = (ROOT / "docs" / "METRICS.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in " ".join(counts).split())
    headers = {"Authorization": f"Bearer {shop.token}"}
    for number in (1, 29):
        found = shop.client.get(f"/admin/traces/{number:032x}", headers=headers).json()
        (request,) = found["spans"]
        assert [each["name"] for each in request["spans"]] == ["PlaceOrder"]
    collector.start()
    while not shop.events("spans arrive again"):
        assert order(shop, 30).status == 201
    collector.kill()
    assert order(shop, 31).status == 201
    assert shop.stop() == 0
    assert not shop.errors
