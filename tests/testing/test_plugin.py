"""The pytest plugin as pytest loads it: what it imports, and what a failing test shows of it."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tomllib
import types
from pathlib import Path
from typing import Any

import pytest

from actors.testing import plugin
from tests.own_system import write_shop

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.real_time

ROOT = Path(__file__).parents[2]
PLUGIN = "actors.testing.plugin"
# What a test of somebody's own has in its environment, but for what the checkout's are given.
ALONE = ("-p", PLUGIN, "-p", "no:xdist", "-p", "no:timeout", "-p", "no:detangle")


@pytest.fixture(autouse=True)
def checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another pytest finds the plugin in the checkout."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("PYTEST_DEBUG_TEMPROOT", raising=False)


def test_it_imports_nothing_until_a_fixture_is_used(pytester: pytest.Pytester) -> None:
    """Of ours it is itself and its packages, and of others' no more than pytest has."""
    pytester.makepyfile(
        f"""
        import sys

        def test_here():
            ours = {{each for each in sys.modules if each.split(".")[0] in ("actors", "http_edge")}}
            assert ours == {{"actors", "actors.testing", "{PLUGIN}"}}
            assert {{"aiohttp", "hypothesis", "msgspec", "sqlite3"}}.isdisjoint(sys.modules)
        """
    )
    pytester.runpytest_subprocess(*ALONE, "-p", "no:hypothesispytest").assert_outcomes(passed=1)


def install(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have another pytest find the project's entry point, as pip would have it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (entry,) = project["entry-points"]["pytest11"].items()
    installed = pytester.mkdir("installed") / "own-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1\n")
    (installed / "entry_points.txt").write_text("[pytest11]\n{} = {}\n".format(*entry))
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{installed.parent}")


def test_a_project_with_a_package_actors_of_its_own_can_do_without(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What docs/TESTING.md tells it: unloaded, the plugin takes the name from nobody."""
    install(pytester, monkeypatch)
    pytester.mkpydir("actors").joinpath("mine.py").write_text("MINE = 1\n")
    pytester.makepyfile("""
        from actors.mine import MINE

        def test_here():
            assert MINE
        """)
    pytester.runpytest_subprocess(*ALONE[2:], "-p", f"no:{PLUGIN}").assert_outcomes(passed=1)


def test_installed_and_named_by_a_conftest_it_is_loaded_once(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry point is called as its module is, which is how pytest knows it again."""
    install(pytester, monkeypatch)
    pytester.makeconftest(f"pytest_plugins = ['{PLUGIN}']")
    pytester.makepyfile(
        f"""
        def test_here(request):
            plugins = request.config.pluginmanager.list_name_plugin()
            named = [name for name, each in plugins if getattr(each, "__name__", "") == "{PLUGIN}"]
            assert named == ["{PLUGIN}"]
            assert ("{PLUGIN}", "own") in [
                (each.__name__, about.metadata["Name"])
                for each, about in request.config.pluginmanager.list_plugin_distinfo()
            ]
        """
    )
    pytester.runpytest_subprocess(*ALONE[2:]).assert_outcomes(passed=1)


def test_without_hypothesis_one_sentence_says_what_to_type(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_here(monkeypatch, request):
            for name in [each for each in sys.modules if each.startswith("hypothesis")]:
                monkeypatch.delitem(sys.modules, name)
            monkeypatch.setitem(sys.modules, "hypothesis", None)
            request.getfixturevalue("rehearsal")
        """
    )
    result = pytester.runpytest_subprocess(*ALONE, "-p", "no:hypothesispytest")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["`rehearsal` draws by Hypothesis*-m pip install hypothesis"])
    result.stdout.no_fnmatch_line("*rehearse.py*")


def test_a_finding_is_told_and_played_again_from_anywhere(pytester: pytest.Pytester) -> None:
    """The test's own line, what was wrong, what it takes, a command; and no line of ours.

    Nor is there one where something was used wrongly.
    """
    write_shop(pytester.path / "shop_folder")
    pytester.makepyfile(
        """
        from shop import SHOP

        def test_quiet(rehearsal):
            rehearsal(SHOP, "log.level=error", examples=5)

        def test_misplayed(rehearsal):
            rehearsal(SHOP, "no.such=1")

        def test_misbooted(live):
            live(SHOP, "no.such=1")
        """
    )
    result = pytester.runpytest_subprocess(
        *ALONE, "-o", f"pythonpath={pytester.path / 'shop_folder'}"
    )
    result.assert_outcomes(failed=3)
    printed = result.stdout.str()
    assert re.search(r"^> +rehearsal\(SHOP, .*examples=5\)$", printed, re.MULTILINE)
    assert re.search(r"^E +AssertionError: shop: too quiet$", printed, re.MULTILINE)
    assert re.search(
        r"^E +It takes 0 of \d+ requests and 0 of \d+ faults, as \d+ more", printed, re.MULTILINE
    )
    assert (
        len(re.findall(r"^E +actors.errors.ConfigError: .*section 'no'", printed, re.MULTILINE))
        == 2
    )
    assert re.search(r"^\S*(actors|http_edge)/\S+:\d+", printed, re.MULTILINE) is None
    (again,) = re.findall(r"^E +play it again: (.*)$", printed, re.MULTILINE)
    told = subprocess.run(
        ["bash", "-c", again.replace(str(ROOT / ".venv/bin/python"), sys.executable)],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert told.returncode == 1, told.stderr
    assert "too quiet" in told.stdout


@pytest.mark.parametrize("is_terminal", [True, False])
def test_who_waits_at_a_terminal_is_told_and_a_log_is_not(*, is_terminal: bool) -> None:
    """Past what captures the test's own output."""
    written: list[str] = []
    plugins = {
        "terminalreporter": types.SimpleNamespace(
            isatty=is_terminal, ensure_newline=lambda: None, write_line=written.append
        ),
        "capturemanager": types.SimpleNamespace(global_and_fixture_disabled=contextlib.nullcontext),
    }
    manager: Any = types.SimpleNamespace(get_plugin=plugins.get)
    plugin._progress_of(types.SimpleNamespace(pluginmanager=manager))("7 runs")  # type: ignore[arg-type]
    assert written == (["7 runs"] if is_terminal else [])


@pytest.mark.parametrize(
    "end",
    ["assert False", pytest.param("raise KeyboardInterrupt", marks=pytest.mark.long)],
)
def test_a_booted_system_is_gone_however_its_test_ends(pytester: pytest.Pytester, end: str) -> None:
    """Its process, and its files; a failure shows what it said last."""
    write_shop(pytester.path / "shop_folder")
    pytester.makepyfile(
        f"""
        from pathlib import Path
        from shop import SHOP

        def test_here(live):
            booted = live(SHOP)
            assert booted.client.post("/orders", json={{"cups": 2}}).status == 201
            Path("pid").write_text(str(booted.pid))
            Path("folder").write_text(str(booted.data_dir))
            {end}
        """
    )
    result = pytester.runpytest_subprocess(
        *ALONE, "-o", f"pythonpath={pytester.path / 'shop_folder'}"
    )
    folder = Path((pytester.path / "folder").read_text())
    assert not folder.exists()
    assert not Path(f"/proc/{(pytester.path / 'pid').read_text()}").exists()
    if end == "assert False":
        result.stdout.fnmatch_lines(["*log of shop*", '*"event":*"ready"*'])
