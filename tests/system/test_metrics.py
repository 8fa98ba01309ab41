"""`/metrics` of a real process: what was done is what was counted, and what is drawn is there."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.http_edge.metrics.scraped import OPENMETRICS, Scraped
from tests.system.client import connected
from tests.system.guests import BOOKINGS, at_rest, ended, new_customers, new_rooms, stay
from tests.system.process import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from actors.testing.live_system import LiveSystem
    from tests.system.client import Client

pytestmark = pytest.mark.real_time

MONITORING = ROOT / "docs" / "monitoring"
OURS = "dress_rehearsal_"
# No shipped query's answers are kept: of these there are families, and no samples.
KEPT = f"{OURS}cache_"
HAPPY = "I love tutorialedge! Wonderful, excellent, the best tutorial ever, thank you so much!"
LIKED_S_MAX = 100.0


async def _scrape(client: Client, process: LiveSystem) -> Scraped:
    headers = {"Authorization": f"Bearer {process.token}", "Accept": OPENMETRICS}
    return Scraped(await client.send("GET", "/metrics", headers=headers))


async def _tweet_and_wait(client: Client, process: LiveSystem) -> None:
    """Have somebody tweet what is liked and answered: both are effects."""
    headers = {"Authorization": f"Bearer {process.token}"}
    deadline = time.monotonic() + LIKED_S_MAX
    while (await client.send("GET", "/api/v1/reader")).json["status"] != "connected":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    body = {"username": "bob", "text": HAPPY}
    await client.create("/admin/x/tweets", body, headers=headers)
    while not (await _scrape(client, process)).by("effects_total", "outcome", service="responder"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_what_was_done_is_what_was_counted(standing: LiveSystem) -> None:
    """Five customers and two refusals; a booking, which is paid; a kill: each by its labels."""
    process = standing
    async with connected(process) as client:
        await client.until_ready()
        before = await _scrape(client, process)

        def grown(after: Scraped, name: str, **labels: str) -> float:
            return after.value(name, **labels) - before.value(name, **labels)

        customers = await new_customers(client, 5)
        for _ in range(2):
            reply = await client.send("POST", "/api/v1/customers", json={"name": "no address"})
            assert reply.status == 422
        (room,) = await new_rooms(client, 1)
        booked = await client.send("POST", BOOKINGS, json=stay(customers[0], room))
        assert (await ended(client, booked.headers["Location"]))["status"] == "confirmed"
        await at_rest(client)
        after = await _scrape(client, process)
        created = {"listener": "gateway", "route": "/api/v1/customers", "method": "POST"}
        assert after.by("http_requests_total", "status", **created) == {"201": 5, "422": 2}
        duration = "http_request_duration_seconds_count"
        assert after.by(duration, "status_class", **created) == {"2xx": 5, "4xx": 2}
        # What a service was asked: what is wrong with a body the edge says itself.
        assert grown(after, "messages_total", actor="customer", outcome="handled") >= 5
        assert (
            after.value("effects_total", service="payment", effect="ChargeCard", outcome="done")
            == 1
        )
        attempts = {"service": "payment", "effect": "ChargeCard"}
        assert after.by("effect_attempts_total", "outcome", **attempts) == {"succeeded": 1}
        assert after.value("effect_retries_total", **attempts) == 0
        breaker = after.by("breaker_state", "state", service="payment", dependency="ChargeCard")
        assert breaker == {"closed": 1}
        for actor, lane in (("customer", "command"), ("booking", "command"), ("booking", "query")):
            labels = {"actor": actor, "lane": lane}
            taken = grown(after, "message_wait_seconds_count", **labels)
            batches = grown(after, "batch_messages_count", **labels)
            assert taken == grown(after, "batch_messages_sum", **labels) >= batches >= 1
            assert after.value("mailbox_messages", **labels) == 0
        assert grown(after, "commit_duration_seconds_count", service="customer") >= 5
        assert after.value("outbox_messages", service="booking", receiver="room") == 0
        assert after.value("store_answered") == len(after.by("store_answered", "service"))
        assert after.value("dead_letters") == 0
        # A scrape is a request.
        assert after.value("http_requests_total", route="/metrics") >= 1


async def test_a_kill_is_a_restart_by_its_cause(standing: LiveSystem) -> None:
    """One more by a kill, and one in order; no other, and of no other actor."""
    process = standing
    async with connected(process) as client:
        await client.until_ready()
        before = (await _scrape(client, process)).by("actor_restarts_total", "actor")
        assert "notification" not in before
        for number, action in enumerate(("kill", "kill", "restart"), 1):
            await client.order("notification", action)
            while (await client.actor("notification"))["restarts"] < number:  # noqa: ASYNC110 - a process sets no event
                await asyncio.sleep(0.02)
        after = await _scrape(client, process)
        causes = after.by("actor_restarts_total", "cause", actor="notification")
        assert causes == {"kill": 2, "order": 1}
        assert after.by("actor_restarts_total", "actor") == {**before, "notification": 3}
        assert after.by("actor_state", "state", actor="notification") == {"running": 1}


async def test_what_is_drawn_and_alerted_on_is_there(standing: LiveSystem) -> None:
    """After some load: each metric of the dashboard and the rules, of the docs, and no other."""
    process = standing
    async with connected(process) as client:
        await client.until_ready()
        await _tweet_and_wait(client, process)
        scraped = await _scrape(client, process)
    dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    targets = [target for panel in dashboard["panels"] for target in _targets(panel)]
    drawn = [each["expr"] for each in targets]
    assert len(drawn) > 20
    rules = (MONITORING / "alerts.yml").read_text()
    named = _names("\n".join(drawn))
    assert len(named) > 20
    named |= _names(rules)
    # An alert's text names a histogram, and not its buckets.
    unseen = {each for each in named - scraped.names if not each.startswith(KEPT)}
    assert unseen <= _histograms(scraped)
    alerts = rules.split("- alert: ")[1:]
    for text in [f"{each['expr']} {each['legendFormat']}" for each in targets] + alerts:
        names = _names(text)
        if all(each.startswith(KEPT) for each in names):
            continue
        there = {label for each in scraped.samples if each.name in names for label in each.labels}
        assert _named_labels(text) <= there | {"job", "instance"}, text
    documented = set(re.findall(r"^\| `(\w+)` \|", _documented("at the edge"), re.MULTILINE))
    families = {
        each.name.removeprefix(OURS) + ("_total" if each.type == "counter" else "")
        for each in scraped.families
        if each.name.startswith(OURS)
    }
    assert documented == families
    process_own = set(re.findall(r"`((?:process|python)_\w+)`", _documented("of the process")))
    assert process_own == {each.name for each in scraped.samples if not each.name.startswith(OURS)}
    for series, labels in _labels(_documented("at the edge")).items():
        found = {
            frozenset(each.labels) - {"le"}
            for each in scraped.samples
            if each.name.startswith(f"{OURS}{series}")
        }
        is_kept = f"{OURS}{series}".startswith(KEPT)
        assert is_kept or frozenset(labels) in found, (series, labels, found)


def _histograms(scraped: Scraped) -> set[str]:
    return {each.name for each in scraped.families if each.type == "histogram"}


def _targets(panel: dict[str, Any]) -> list[dict[str, Any]]:
    targets: list[dict[str, Any]] = panel.get("targets", [])
    return targets


def _names(text: str) -> set[str]:
    return set(re.findall(rf"\b(?:{OURS}|process_|python_)\w+", text))


def _named_labels(text: str) -> set[str]:
    """Return those of an expression, and of what is written beside it."""
    selected = re.findall(r'(\w+)(?:=~|!=|=)"', text)
    lists = re.findall(r"\b(?:by|on) \(([^)]*)\)", text)
    told = re.findall(r"{{ ?(?:\$labels\.)?(\w+) ?}}", text)
    return {*selected, *told, *(each.strip() for listed in lists for each in listed.split(","))}


def _documented(until: str) -> str:
    """Return the page's tables, those of what labels mean aside."""
    page = (ROOT / "docs" / "METRICS.md").read_text()
    own, _, process = page.partition("| of the process |")
    if until == "of the process":
        return process
    # What no shipped system has: tests/system/test_remote.py and test_otlp.py.
    own = own.partition("| of services that run elsewhere |")[0]
    for label, follows in (("reason", "| of actors |"), ("place", "| of services with a store |")):
        before, found, rest = own.partition(f"| `{label}` | ")
        assert found
        own = before + rest[rest.index(follows) :]
    return own


def _labels(tables: str) -> dict[str, set[str]]:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", tables, re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}


def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    """As Prometheus reads them."""
    done = _promtool("check", "rules", str(MONITORING / "alerts.yml"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "14 rules found" in done.stdout


def test_an_alert_is_of_ours_and_of_the_first_one_as_well(tmp_path: Path) -> None:
    """A route's first 500, before which nobody has counted any; another program's files are not."""
    errors = f'{OURS}http_requests_total{{listener="gateway",route="/x",method="GET",status="500"}}'
    series = [
        (errors, "_x8 1x40"),
        ('process_open_fds{job="other"}', "90x48"),
        ('process_max_fds{job="other"}', "100x48"),
        ('process_open_fds{job="ours"}', "90x48"),
        ('process_max_fds{job="ours"}', "100x48"),
        (f'{OURS}asks_in_progress{{job="ours"}}', "0x48"),
    ]
    alerts = [
        ("1m", "RequestsFailByABug", []),
        ("3m", "RequestsFailByABug", [{"severity": "page", "route": "/x", "method": "GET"}]),
        ("11m", "RequestsFailByABug", []),
        ("11m", "DescriptorsNearlyOut", [{"severity": "ticket", "job": "ours"}]),
    ]
    rules = (MONITORING / "alerts.yml").read_text()
    # What is said of them is no part of what is asked.
    (tmp_path / "rules.yml").write_text(re.sub(r" +annotations:\n(?: {10}.+\n)+", "", rules))
    asked = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "15s",
                "input_series": [{"series": name, "values": values} for name, values in series],
                "alert_rule_test": [
                    {
                        "eval_time": at,
                        "alertname": name,
                        "exp_alerts": [{"exp_labels": each} for each in labels],
                    }
                    for at, name, labels in alerts
                ],
            }
        ],
    }
    (tmp_path / "asked.yml").write_text(json.dumps(asked))
    done = _promtool("test", "rules", str(tmp_path / "asked.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


def _promtool(*words: str) -> subprocess.CompletedProcess[str]:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: it comes with Debian's prometheus")
    return subprocess.run([promtool, *words], capture_output=True, text=True, check=False)
