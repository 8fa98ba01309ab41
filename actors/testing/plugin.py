"""The pytest plugin: `rehearsal` and `live`. Until a test uses one, it knows nothing but pytest."""

from __future__ import annotations

import re
import shlex
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from actors.testing.live import Live
    from actors.testing.rehearse import Rehearse

BOOTED = pytest.StashKey["Live"]()


@pytest.fixture
def rehearsal(request: pytest.FixtureRequest) -> Rehearse:
    """Systems on virtual time, under faults; a test says `rehearsal(SHOP, faults="kills")`."""
    try:
        from actors.testing.rehearse import Rehearse  # noqa: PLC0415 - not before it is used
    except ModuleNotFoundError as missing:
        if missing.name != "hypothesis":
            raise
        how = f"{shlex.quote(sys.executable)} -m pip install hypothesis"
        pytest.fail(
            f"`rehearsal` draws by Hypothesis, which is not here; type {how}", pytrace=False
        )
    return Rehearse(_recording_of(request), _progress_of(request.config))


@pytest.fixture
def live(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    """Systems in processes of their own, as users run them: what it returns is up and ready."""
    from actors.testing.live import Live  # noqa: PLC0415 - likewise

    booted = Live(tmp_path_factory.mktemp("live"))
    request.node.stash[BOOTED] = booted
    try:
        yield booted
    finally:
        booted.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what the systems said last that it had booted."""
    report = yield
    booted = item.stash.get(BOOTED, None)
    if report.failed and booted is not None:
        for each in booted.made:
            report.sections.append((f"log of {each}", each.last_words))
    return report


def _recording_of(request: pytest.FixtureRequest) -> Callable[[], Path | None]:
    """Return who says where this test's failing script is kept, if pytest has a cache."""
    cache = getattr(request.config, "cache", None)
    name = re.sub(r"\W+", "-", request.node.nodeid)
    return lambda: None if cache is None else cache.mkdir("dress-rehearsal") / f"{name}.json"


def _progress_of(config: pytest.Config) -> Callable[[str], None]:
    """Return what tells somebody who waits at a terminal; a log is told nothing."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")

    def tell(text: str) -> None:
        if reporter is not None and capture is not None and reporter.isatty:
            with capture.global_and_fixture_disabled():
                reporter.ensure_newline()
                reporter.write_line(text)

    return tell
