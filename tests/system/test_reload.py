"""A configuration is read anew under load: nobody notices, and a wrong one changes nothing."""

from __future__ import annotations

import os
import signal
import threading
import time
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest

from actors.config import load_config
from actors.entry_point import load_named
from actors.live_config import LIVE, key_of
from actors.serving import _has_terminal
from tests.system.process import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from actors.testing.http_client import HttpReply
    from actors.testing.live import Live
    from actors.testing.live_system import LiveSystem

NOTES = str(ROOT / "docs" / "examples" / "notes.py")
RELOADS = 100
# Values under which a few clients are served.
RIGHT: Final[dict[str, tuple[Any, ...]]] = {
    "log.level": ("debug", "info", "warning"),
    "edge.deadline_s": (30.0, 40.0),
    "edge.admission.in_progress_min": (32, 64, 100),
    "edge.admission.in_progress_max": (600, 1024, 2000),
    "edge.admission.service_max": (100, 2048),
    "edge.admission.target_s": (0.5, 2.0),
    "edge.admission.rest_s": (0.5, 2.0),
    "edge.breaker.open_s": (0.1, 2.0),
    "edge.breaker.window_calls": (25, 50, 70),
    "breaker.failed_share": (0.5, 0.95),
    "effect.retries_share": (0.0, 0.3),
    "channel.retry_s": (0.05, 0.2),
    "background.share_min": (0.1, 0.2),
    "remote.rest_s_max": (1.0, 60.0),
    "mailbox.capacity": (500, 1024),
    "store.cache_kib": (1000, 4096),
    "edge.hosts": ([], ["a.example"]),
}
# What is wrong, and what the answer names.
WRONG: Final[tuple[tuple[dict[str, Any], str], ...]] = (
    ({"edge.deadline_s": 0}, "edge.deadline_s"),
    ({"edge.deadline_s": "5 s"}, "edge.deadline_s"),
    ({"edge.deadline_s": None}, "edge.deadline_s"),
    ({"edge.deadline_ms": 5}, "deadline_ms"),
    ({"edge.deadline_s": 1e6}, "edge.deadline_s"),
    ({"log.level": "loud"}, "log.level"),
    ({"log": "debug"}, "log is a table"),
    ({"edge.admission.in_progress_min": 10_000}, "edge.admission.in_progress_begin"),
    ({"edge.admission.rest_s": 100.0}, "edge.admission.rest_s"),
    ({"edge.breaker.calls_min": 200}, "edge.breaker.calls_min"),
    ({"breaker.failed_share": 1.5}, "breaker.failed_share"),
    ({"effect.backoff_s_min": 10.0}, "effect.backoff_s_min"),
    ({"store.cache_kib": 0}, "store.cache_kib"),
    ({"service.replicas": {"nots": 2}}, "service.replicas"),
    ({"notes.kept_s": 5}, "notes"),
    ({"edge.deadline_s": 700.0, "store.edge_keys_kept_s": 800.0}, "store.edge_keys_kept_s"),
)


def tree_of(keys: dict[str, Any]) -> dict[str, Any]:
    """Return the keys as a body has them."""
    tree: dict[str, Any] = {}
    for path, value in keys.items():
        *sections, name = path.split(".")
        table = tree
        for section in sections:
            table = table.setdefault(section, {})
        table[name] = value
    return tree


def reload(notes: LiveSystem, keys: dict[str, Any]) -> HttpReply:
    headers = {"Authorization": f"Bearer {notes.token}"}
    return notes.client.post("/admin/config", json=tree_of(keys), headers=headers)


class Clients(threading.Thread):
    """One who writes and reads, and notes what does not succeed."""

    def __init__(self, notes: LiveSystem) -> None:
        super().__init__()
        self._notes = notes
        self._ended = threading.Event()
        self.failed: list[tuple[int, str]] = []
        self.asked = 0

    def run(self) -> None:
        while not self._ended.is_set():
            replies = (
                self._notes.client.post("/notes", json={"text": "tea"}),
                self._notes.client.get("/notes"),
            )
            self.failed += [(each.status, each.text) for each in replies if each.status > 201]
            self.asked += len(replies)

    def end(self) -> None:
        self._ended.set()
        self.join()


@pytest.mark.real_time
def test_a_hundred_random_configurations_under_load_fail_nobody(live: Live) -> None:
    """Half of them are wrong: each is told what, and changes nothing; of the others all is said."""
    chance = Random(1)
    notes = live(NOTES, "edge.deadline_s=60")
    shipped = load_config(None, ["edge.deadline_s=60"], load_named(NOTES, ()))
    as_shipped = {path: key_of(shipped, path) for path in RIGHT}
    running = dict(as_shipped)
    clients = [Clients(notes) for _ in range(3)]
    for each in clients:
        each.start()
    for number in range(RELOADS):
        names = chance.sample([*RIGHT], chance.randint(0, 6))
        keys = {path: chance.choice(RIGHT[path]) for path in names}
        if number % 2:
            wrong, named = chance.choice(WRONG)
            told = reload(notes, {**keys, **wrong} if "log" not in wrong else wrong)
            assert told.status == 422, told.text
            assert named in told.json()["detail"]
            continue
        wanted = as_shipped | {
            path: tuple(v) if isinstance(v, list) else v for path, v in keys.items()
        }
        changed = sorted(path for path in RIGHT if wanted[path] != running[path])
        told = reload(notes, keys)
        assert (told.status, told.json()) == (
            200,
            {
                "applied": [path for path in changed if path in LIVE],
                "needs_restart": [path for path in changed if path not in LIVE],
            },
        )
        running |= {path: wanted[path] for path in changed if path in LIVE}
    for each in clients:
        each.end()
    assert [each.failed for each in clients] == [[], [], []]
    assert sum(each.asked for each in clients) > RELOADS


@pytest.mark.real_time
def test_a_new_deadline_counts_from_the_next_request_on(live: Live) -> None:
    """And the log is told of it, and tells more."""
    notes = live(NOTES)
    notes.suspend("notes")
    assert reload(notes, {"edge.deadline_s": 0.2, "log.level": "debug"}).status == 200
    begun_s = time.monotonic()
    assert notes.client.get("/notes").status == 504
    assert time.monotonic() - begun_s < 4.0  # it was 5.0
    notes.wait_for("configuration reloaded")
    notes.resume("notes")
    assert notes.client.get("/notes").json() == []
    notes.wait_for("request")


@pytest.mark.real_time
@pytest.mark.skipif(_has_terminal(), reason="with a terminal a process ends that loses it")
@pytest.mark.skipif(
    signal.getsignal(signal.SIGHUP) == signal.SIG_IGN, reason="nohup has it ignored"
)
def test_a_hangup_reads_the_file_anew(live: Live, tmp_path: Path) -> None:
    """One that is wrong says why in the log, and the process goes on as it was."""
    own = tmp_path / "own.toml"
    own.write_text("[edge]\ndeadline_s = 4.0\n", encoding="utf-8")
    notes = live(NOTES, config=own)
    pid = notes.wait_for("listening")["pid"]
    own.write_text("[edge]\ndeadline_s = -1\n", encoding="utf-8")
    os.kill(pid, signal.SIGHUP)
    assert "edge.deadline_s" in notes.wait_for("configuration not reloaded")["reason"]
    own.write_text("[edge]\ndeadline_s = 3.0\nkeepalive_s = 60.0\n", encoding="utf-8")
    os.kill(pid, signal.SIGHUP)
    told = notes.wait_for("configuration reloaded")
    assert (told["applied"], told["needs_restart"]) == (["edge.deadline_s"], ["edge.keepalive_s"])
    assert notes.client.get("/notes").json() == []
