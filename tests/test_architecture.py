from __future__ import annotations

import inspect
import itertools
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from actors.systems import SYSTEMS
from tests.architecture import (
    CIRCLES,
    DOUBLED,
    check_python,
    check_sql,
    check_tree,
    circles,
    doubled_names,
    product_files,
)

if TYPE_CHECKING:
    from actors.system import System

ROOT = Path(__file__).parent.parent
# `__init__.py` among them.
FOLDER_FILES_MAX = 25

# path, source, what the report must say
VIOLATIONS = [
    # Imports point down only.
    ("actors/kernel/a.py", "import actors.store.store", "imports point down only"),
    ("actors/kernel/a.py", "from actors import service", "imports point down only"),
    ("actors/kernel/a.py", "from ..store import store", "imports point down only"),
    ("actors/kernel/__init__.py", "from ..store import store", "imports point down only"),
    ("actors/kernel/a.py", "def f():\n    import http_edge.app", "imports point down only"),
    ("actors/store/a.py", "from actors.service.service import S", "imports point down only"),
    ("actors/store/a.py", "from actors.faults.rules import R", "imports point down only"),
    ("actors/errors.py", "import actors.config", "imports point down only"),
    ("actors/log.py", "import actors.kernel.clock", "imports point down only"),
    ("actors/service/a.py", "import actors.systems.hotel.room", "imports point down only"),
    ("http_edge/a.py", "from actors.systems.hotel.messages import X", "imports point down only"),
    ("http_edge/endpoints/a.py", "from actors import systems", "imports point down only"),
    ("http_edge/app.py", "import runtime", "imports point down only"),
    (
        "actors/store/a.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from runtime import main",
        "imports point down only",
    ),
    ("actors/service/a.py", "import actors.simulation.net.network", "imports point down only"),
    ("http_edge/app.py", "from actors.simulation.net import network", "imports point down only"),
    ("actors/simulation/net/a.py", "import actors.simulation.time.loop", "no room below net"),
    ("actors/simulation/check/a.py", "import actors.simulation.script.schedule", "no room below"),
    ("actors/simulation/time/a.py", "import actors.kernel.clock", "time stands apart"),
    ("actors/simulation/attic/a.py", "import actors.kernel.clock", "no known room"),
    ("actors/junk/a.py", "import os", "no known part"),
    ("runtime.py", "import actors.junk", "no known part"),
    # Absences.
    ("actors/systems/hotel/a.py", "import actors.systems.tweets.messages", "know each other"),
    ("actors/systems/hotel/a.py", "from ..tweets import messages", "know each other"),
    ("actors/systems/hotel/scenario/a.py", "import actors.systems.tweets.tweets", "know each"),
    ("actors/app.py", "from actors.systems.hotel.system import HOTEL", "imports point down only"),
    ("actors/system.py", "import actors.app", "imports point down only"),
    ("actors/simulation/stage/a.py", "import actors.systems", "imports point down only"),
    ("http_edge/app.py", "import actors.store.store", "must not know actors.store"),
    ("actors/kernel/a.py", "import sqlite3", "must not know sqlite3"),
    ("actors/kernel/a.py", "from aiohttp import web", "must not know aiohttp"),
    ("actors/store/store.py", "import aiosqlite", "one file knows aiosqlite"),
    ("actors/store/store.py", "from aiosqlite.core import Connection", "one file knows aiosqlite"),
    ("actors/kernel/a.py", "import tests.doubles", "knows no tests"),
    ("actors/kernel/a.py", "import importlib\nimportlib.import_module('x')", "written out"),
    ("actors/kernel/a.py", "__import__('time')", "written out"),
    # One loop.
    ("actors/kernel/a.py", "import asyncio\nasyncio.run(f())", "starts a loop"),
    ("actors/kernel/a.py", "import asyncio as a\nstart = a.run", "starts a loop"),
    ("actors/kernel/a.py", "from asyncio import Runner", "starts a loop"),
    ("http_edge/app.py", "import asyncio\nasyncio.new_event_loop()", "starts a loop"),
    ("http_edge/app.py", "from aiohttp import web\nweb.run_app(app)", "starts a loop"),
    ("actors/kernel/a.py", "import uvloop", "starts a loop"),
    ("actors/simulation/time/loop.py", "loop.run_until_complete(f())", "starts a loop"),
    ("actors/simulation/time/loop.py", "self._loop.run_forever()", "starts a loop"),
    # Clock and chance.
    ("actors/kernel/a.py", "import time", "comes from the Clock"),
    ("actors/kernel/a.py", "from time import monotonic as now", "comes from the Clock"),
    ("actors/kernel/rng.py", "import time", "comes from the Clock"),
    ("runtime.py", "import time", "comes from the Clock"),
    ("actors/log.py", "from datetime import datetime as d\nd.now()", "comes from the Clock"),
    ("actors/log.py", "import datetime\ndatetime.datetime.utcnow()", "comes from the Clock"),
    ("actors/log.py", "from datetime import date\nx = date.today", "comes from the Clock"),
    ("actors/store/a.py", "import random", "comes from the Rng"),
    ("actors/kernel/clock.py", "import random", "comes from the Rng"),
    ("actors/store/a.py", "from uuid import uuid4", "comes from the Rng"),
    ("actors/store/a.py", "import os\nos.urandom(8)", "comes from the Rng"),
    ("actors/store/a.py", "from os import urandom", "comes from the Rng"),
    ("http_edge/app.py", "import secrets", "comes from the Rng"),
    ("actors/simulation/time/loop.py", "import time", "comes from the Clock"),
    ("actors/simulation/net/network.py", "import random", "comes from the Rng"),
    ("actors/simulation/sealed/forbidden.py", "import os\nos.urandom(8)", "comes from the Rng"),
    ("actors/store/a.py", "SQL = 'SELECT random()'", "SQL uses random()"),
    ("actors/store/a.py", "SQL = \"SELECT datetime('now')\"", "SQL uses 'now'"),
    ("actors/store/a.py", "SQL = f'{t} > current_timestamp'", "SQL uses current_timestamp"),
]

ALLOWED = [
    ("actors/command_line.py", "import uvloop, secrets, os\nos.urandom(8)\nuvloop.run(main())"),
    ("runtime.py", "import actors.simulation.net.network, http_edge.app, actors.store.store"),
    ("actors/command_line.py", "import asyncio\nasyncio.Runner().get_loop().run_forever()"),
    ("actors/systems/__init__.py", "from actors.systems.hotel.system import HOTEL"),
    ("actors/systems/tweets/scenario/a.py", "import actors.systems.x_platform.messages"),
    ("actors/systems/tweets/scenario/a.py", "import actors.simulation.stage.scenario"),
    ("actors/simulation/stage/a.py", "import http_edge.app, actors.store.inline_store"),
    ("actors/simulation/stage/a.py", "import actors.simulation.net.pipe, actors.simulation.errors"),
    ("actors/simulation/time/a.py", "import actors.kernel.rng, actors.simulation.errors"),
    ("actors/simulation/sealed/forbidden.py", "import random, tempfile, time, uuid"),
    ("http_edge/admin_token.py", "import secrets"),
    ("actors/systems/hotel/routes.py", "from http_edge.endpoints.service_endpoint import service"),
    ("http_edge/app.py", "from actors.service.service import Service\nimport actors.kernel.actor"),
    ("actors/systems/hotel/a.py", "from actors.systems.hotel.messages import X\nfrom . import b"),
    ("actors/service/a.py", "import actors.store.store, actors.faults.rules"),
    ("actors/store/aiosqlite_store.py", "import aiosqlite, sqlite3"),
    ("actors/store/a.py", "from actors.store import b\nfrom . import c\nimport actors.errors"),
    ("actors/kernel/clock.py", "import time\ntime.monotonic()"),
    ("actors/entry_point.py", "import importlib\nimportlib.import_module(name)"),
    ("actors/kernel/rng.py", "import random"),
    ("actors/kernel/a.py", "import asyncio\nasyncio.sleep(1)\nasyncio.run_coroutine_threadsafe"),
    ("actors/kernel/a.py", "self.time.now()\nclock.monotonic()\nrandom = 1\nrng.random()"),
    ("actors/log.py", "from datetime import datetime\ndatetime.fromtimestamp(0)"),
    ("actors/log.py", "'''Not SELECT random().'''"),
    ("actors/log.py", "import actors.config"),
]


def test_product_code_keeps_the_rules() -> None:
    """Arrows point down, and what must be absent is absent, in every file there is."""
    assert check_tree(ROOT) == []


def test_nothing_below_the_systems_names_one() -> None:
    """Not in a comment, either: whoever adds a system changes no file outside its folder."""
    above = ROOT / "actors" / "systems"
    systems = [path.name for path in above.iterdir() if path.is_dir() and path.name[0] != "_"]
    named = re.compile(rf"\b({'|'.join(systems)})\b")
    texts = [path for path in product_files(ROOT) if above not in path.parents]
    texts += [ROOT / "config.toml", *(ROOT / "http_edge").rglob("*.html")]
    assert [path.name for path in texts if named.search(path.read_text(encoding="utf-8"))] == []


LOOKED_THROUGH = """
import sys
from pathlib import Path
import actors.system_commands
from actors.app import look_through
from actors.config import load_config
from actors.systems import SYSTEMS
booted = [each for each in SYSTEMS if each.name in sys.argv[1:]]
look_through(booted, load_config(systems=SYSTEMS), Path())
print(*sys.modules)
"""


@pytest.mark.parametrize(
    ("booted", "unneeded"),
    [
        (
            ["hotel", "tweets", "x_platform"],
            # What is for somebody who wants it: a scenario, an audit, metrics, a page; an address.
            ["simulation", "scenario", "invariants", "prometheus", "jinja2", "email_validator"],
        ),
        (["hotel"], ["tweepy", "vader", "tweets.tweets", "x_platform.x_platform", "api.addresses"]),
    ],
    ids=["all", "hotel"],
)
def test_a_server_imports_nothing_before_it_is_needed(
    booted: list[str], unneeded: list[str]
) -> None:
    """Imports are most of a start, and each is paid by whoever starts anything."""
    printed = subprocess.run(
        [sys.executable, "-c", LOOKED_THROUGH, *booted],
        cwd=ROOT, capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    loaded = printed.split()
    assert "actors.serving" in loaded
    assert [each for each in loaded if any(name in each for name in unneeded)] == []


def python_sources() -> dict[str, str]:
    """Return the product's text by path."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in product_files(ROOT)
        if path.suffix == ".py"
    }


def test_no_two_things_share_a_name() -> None:
    """A name leads to one file, and to one public class."""
    assert doubled_names(python_sources()) == sorted(DOUBLED)


def test_a_shared_name_is_found() -> None:
    """Of files, public classes and functions; what every folder has may have one name."""
    sources = {
        "a/one.py": "class Lane: ...",
        "b/one.py": "class _Own: ...",
        "b/two.py": "class Lane: ...\nclass _Own: ...",
        "a/messages.py": "",
        "b/messages.py": "def f(): ...\ndef _g(): ...",
        "a/system.py": "async def f(): ...\ndef _g(): ...",
        "a/overloads.py": "@overload\ndef h(): ...\ndef h(): ...",
        "b/system.py": "",
        "actors/systems/a/system.py": "def services(): ...",
        "actors/systems/b/system.py": "def services(): ...",
    }
    assert doubled_names(sources) == [
        "Lane: a/one.py, b/two.py",
        "f: b/messages.py, a/system.py",
        "one.py: a/one.py, b/one.py",
        "system.py: a/system.py, b/system.py",
    ]


def test_no_folder_is_a_heap() -> None:
    """What stands in one folder can be taken in at a look."""
    folders = Counter(path.rpartition("/")[0] for path in python_sources())
    assert {folder: files for folder, files in folders.items() if files > FOLDER_FILES_MAX} == {}


def test_no_circle_of_files_but_those_that_are_named() -> None:
    """A file can be read without those that read it: imports go one way, annotations' too."""
    assert circles(python_sources()) == sorted(CIRCLES)


def test_a_circle_is_found_whatever_its_length() -> None:
    """One by way of a third file and of TYPE_CHECKING is one; a chain and a pair apart are not."""
    sources = {
        "a/__init__.py": "",
        "a/b.py": "from a import c\nimport os, a.outside",
        "a/c.py": "from a.d import D",
        "a/d.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a.b",
        "a/outside.py": "import a.end",
        "a/end.py": "import a",
    }
    assert circles(sources) == [("a/b.py", "a/c.py", "a/d.py")]


def test_every_product_file_is_looked_at() -> None:
    """The check above looks at the tree, and not at nothing."""
    seen = {path.relative_to(ROOT).as_posix() for path in product_files(ROOT)}
    assert {"actors/errors.py", "actors/kernel/clock.py", "actors/__init__.py"} <= seen


@pytest.mark.parametrize(("path", "source", "trouble"), VIOLATIONS)
def test_violation_is_reported(path: str, source: str, trouble: str) -> None:
    """Each rule, broken on purpose, is reported with its line."""
    report = list(check_python(path, source))
    assert any(re.match(rf"\d+: .*{re.escape(trouble)}", line) for line in report), report


@pytest.mark.parametrize(("path", "source"), ALLOWED)
def test_allowed_is_not_reported(path: str, source: str) -> None:
    """What the rules allow passes."""
    assert list(check_python(path, source)) == []


def test_sql_files_read_no_clock() -> None:
    """A default of CURRENT_TIMESTAMP is found in a schema; a comment about it is not."""
    text = "-- no CURRENT_TIMESTAMP here\nCREATE TABLE t (at TEXT DEFAULT CURRENT_TIMESTAMP)"
    assert [line.split(":")[0] for line in check_sql("a.sql", text)] == ["2"]


def test_tree_report_names_file_and_line(tmp_path: Path) -> None:
    """A violation on disk is reported as path:line."""
    (tmp_path / "actors" / "kernel").mkdir(parents=True)
    (tmp_path / "actors" / "kernel" / "a.py").write_text("import os\nimport time\n")
    (report,) = check_tree(tmp_path)
    assert report.startswith("actors/kernel/a.py:2: time")


# --- Files beside the code -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_requirements_name_no_index(name: str) -> None:
    """Every line is blank, a comment, a pin or its hash: no index, no path of this machine."""
    line_rule = re.compile(
        r"( *#.*)?|[a-z0-9-]+==[\w.]+( ; [^/@:]+)? \\|    --hash=sha256:\w+( \\)?"
    )
    lines = (ROOT / name).read_text().splitlines()
    assert [line for line in lines if not line_rule.fullmatch(line)] == []
    assert not re.search(
        r"://|--index|--extra-index|--find-links|--trusted-host|file:/|/opt|/tmp", "\n".join(lines)
    )


def test_every_number_of_the_configuration_has_its_reason() -> None:
    """A number without a comment beside it is a number nobody can change."""
    bare = []
    for line in (ROOT / "config.toml").read_text().splitlines():
        key, assigned, value = re.sub(r'"[^"]*"', '""', line).partition("=")
        setting, _, reason = value.partition("#")
        if assigned and not key.startswith("#") and re.search(r"\d", setting):
            bare += [line] if len(reason.split()) < len(["a", "reason"]) else []
    assert bare == []


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_every_number_of_a_system_has_its_reason(system: System) -> None:
    """Above each key of its sections stands a comment."""
    bare = []
    for section in system.config.values():
        lines = inspect.getsource(section).splitlines()
        for before, line in itertools.pairwise(lines):
            if re.match(r"    \w+: .*=", line) and not before.startswith("    # "):
                bare.append(line)
    assert bare == []
