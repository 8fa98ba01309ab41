"""How tests run: coroutines on a fresh loop, nothing left behind, every failure with its seed."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import os
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from hypothesis.internal.conjecture import providers

from actors.kernel.clock import ManualClock
from actors.kernel.rng import Rng
from actors.simulation.command.scratch_folder import IN_MEMORY
from tests.store.leftovers import begin_test, no_store_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterator

    AsyncTest = Callable[..., Coroutine[Any, Any, None]]

# Nothing is installed in a checkout: what the wheel registers for pytest is named here.
pytest_plugins = ["actors.testing.plugin"]

# A task that has been cancelled or answered still needs a turn of the loop or two to end.
SETTLE_TURNS = 5

# The marker's name: pyproject.toml says what it means.
SAMPLED = "sampled"
SEED_KEY = pytest.StashKey[int]()

# No deadline an example, nor for drawing one: they measure the machine, not the code. The blob
# reruns a CI failure here.
hypothesis.settings.register_profile(
    "rehearsal",
    deadline=None,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    max_examples=30,
)
# As `make test-long` has them again.
hypothesis.settings.register_profile(
    "thorough", parent=hypothesis.settings.get_profile("rehearsal"), max_examples=200
)
hypothesis.settings.load_profile("rehearsal")
# Nor are the constants drawn of all that is imported: each worker would read five hundred files for
# them, and what is found, and how long that takes, would depend on the tests that run beside.
providers._get_local_constants = lambda: providers._local_constants


# --- Seeds -----------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --seed."""
    parser.addoption("--seed", type=int, help="the number that the `seed` fixture gives to tests")


def pytest_configure(config: pytest.Config) -> None:
    """One seed a run, so that the number a failure prints reproduces it."""
    # Nobody here is told from another by a certificate, and each process would read them all.
    os.environ.setdefault("SSL_CERT_FILE", os.devnull)
    _remove_in_memory()
    seed = _told_by_the_run(config).get("seed", config.getoption("seed"))
    config.stash[SEED_KEY] = secrets.randbits(32) if seed is None else seed


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Every worker process of a run has the run's seed."""
    node.workerinput["seed"] = node.config.stash[SEED_KEY]


def _remove_in_memory() -> None:
    """What a test makes and removes itself needs no disk: tests would mostly wait for its syncs.

    The factory's folders stay on the disk, where a removed file's inode is used again.
    """
    if "TMPDIR" not in os.environ and os.access(IN_MEMORY, os.W_OK):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
        tempfile.tempdir = str(IN_MEMORY)


def _told_by_the_run(config: pytest.Config) -> dict[str, Any]:
    """Return what a worker process was told; nothing where this is the run itself."""
    told: dict[str, Any] = getattr(config, "workerinput", {})
    return told


def pytest_report_header(config: pytest.Config) -> str:
    """Print the seed first: a run that is killed reports no failure."""
    return f"seed: {config.stash[SEED_KEY]}"


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    """The run's seed: --seed, or a new one each run. A failure prints it."""
    return request.config.stash[SEED_KEY]


@pytest.fixture
def rng(seed: int) -> Rng:
    """A generator from the run's seed."""
    return Rng(seed)


@pytest.fixture
def clock() -> ManualClock:
    """A clock that moves when told to."""
    return ManualClock()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test that drew from the seed says how to draw the same again."""
    report = yield
    if report.failed and "seed" in getattr(item, "fixturenames", ()):
        report.sections.append(("seed", f"rerun with: --seed {item.config.stash[SEED_KEY]}"))
    return report


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder of the test's own, in memory, as all that is removed; `on_disk` is another."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        place = Path(folder) / "test"  # what a test puts beside it is its own, too
        place.mkdir()
        yield place


@pytest.fixture
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for who must meet what only a disk does; the last runs' are kept."""
    return tmp_path_factory.mktemp("disk")


# --- Which worker runs what ------------------------------------------------------------------


# Seconds for a test that takes minutes on an idle machine: a busy one needs as long.
LONG_S_MAX = 1_800

# What takes a worker five seconds of CPU and more, as measured, the longest first; and what waits
# for as long.
LONGEST = (
    "tests/simulation/command/test_command.py",
    "tests/simulation/stage/test_rehearsal.py",
    "tests/system/test_boot.py",
    "tests/simulation/oracles/test_engine.py",
    "tests/simulation/command/test_campaign.py",
    "tests/system/test_disk.py",
    "tests/systems/hotel/test_saga_commit_boundaries.py",
    "tests/simulation/command/test_workers.py",
    "tests/simulation/command/test_vacuity.py",
    "tests/systems/tweets/x/test_x_refusals.py",
    "tests/systems/tweets/scenario/test_oracle.py",
    "tests/systems/tweets/reading/test_reader_traps.py",
    "tests/simulation/script/test_searches.py",
    "tests/testing/test_plugin.py",
    "tests/simulation/test_brand_monitor.py",
    "tests/test_architecture.py",
    "tests/system/test_lost_files.py",
    "tests/simulation/test_retry_storm.py",
    "tests/system/test_dead_letters.py",
    "tests/testing/test_rehearse.py",
    "tests/store/test_store_contract.py",
    "tests/systems/tweets/test_brand_commit_boundaries.py",
    "tests/system/test_api.py",
    "tests/kernel/test_storm.py",
    "tests/simulation/script/test_schedule.py",
    "tests/system/test_tutorial.py",
    "tests/test_launch.py",
    "tests/system/test_bookings.py",
    "tests/simulation/stage/test_mishaps.py",
    "tests/system/test_operator.py",
    "tests/systems/hotel/test_scenario.py",
    "tests/simulation/files/test_running_backups.py",
    "tests/store/test_handler_watch.py",
    "tests/simulation/deploys/test_broken_deploys.py",
    "tests/service/test_letters.py",
    "tests/store/messaging/test_channel_crashes.py",
    "tests/system/test_backup.py",
    "tests/test_entry_point.py",
    "tests/system/test_brand_monitor.py",
    "tests/simulation/net/test_network_bytes.py",
    "tests/service/test_gate.py",
    "tests/systems/x_platform/authors/test_author.py",
    "tests/simulation/oracles/test_http_contract.py",
    "tests/simulation/test_documentation.py",
    "tests/simulation/oracles/test_metrics_oracle.py",
    "tests/systems/hotel/test_booking.py",
    "tests/test_docs.py",
    "tests/test_conftest.py",
)


# Of what is `sampled`, in each run one in so many.
SAMPLED_OF = 3


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files are dealt out in this order, the longest first: no worker ends with one of them."""
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.timeout(LONG_S_MAX))
    if SAMPLED not in config.getoption("markexpr"):
        _sample(config, items)
    if _told_by_the_run(config):
        items.sort(key=_turn)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the collector the modules and the thousands of tests: it never finds anything there."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def _sample(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave a third of the cases of each test that is `sampled`: which ones, the seed says."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker(SAMPLED):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left_out: set[pytest.Item] = set()
    for name, found in cases.items():
        found.sort(key=lambda item: item.nodeid)
        draw = Rng(f"{config.stash[SEED_KEY]} {name}")
        left_out.update(draw.sample(found, len(found) - -(-len(found) // SAMPLED_OF)))
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=[*left_out])


def _turn(item: pytest.Item) -> tuple[int, int, str]:
    # By name, too: workers must agree, and some parameters come out of a set.
    marks = {mark.name for mark in item.iter_markers()}
    file = item.nodeid.partition("::")[0]
    place = LONGEST.index(file) if file in LONGEST else len(LONGEST)
    return (place, 0 if "slow" in marks else 1 if "real_time" in marks else 2, item.nodeid)


# --- What a test measured --------------------------------------------------------------------

FIGURE = "figure"


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Puts a measured figure into the run's output, where captured text would be lost."""
    return functools.partial(record_property, FIGURE)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests reported; not at once, for a worker process has no terminal."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    figures = [
        f"{report.nodeid}: {figure}"
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, figure in report.user_properties
        if name == FIGURE
    ]
    if figures:
        terminalreporter.section("measured")
        terminalreporter.write_line("\n".join(sorted(figures)))


# --- Async tests -----------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Run `async def` tests, also those under Hypothesis, by `run_owned`."""
    inner = getattr(getattr(pyfuncitem.obj, "hypothesis", None), "inner_test", None)
    if inspect.iscoroutinefunction(inner):
        pyfuncitem.obj.hypothesis.inner_test = synchronous(inner)
    elif inspect.iscoroutinefunction(pyfuncitem.obj):
        pyfuncitem.obj = synchronous(pyfuncitem.obj)


def synchronous(test: AsyncTest) -> Callable[..., None]:
    """Turn an async test into one that pytest and Hypothesis can call."""

    @functools.wraps(test)
    def call(*args: Any, **kwargs: Any) -> None:
        run_owned(test(*args, **kwargs))

    # `wraps` leaves a trace by which `call` would pass for a coroutine function again.
    del call.__wrapped__
    return call


def run_owned(test: Coroutine[Any, Any, None]) -> None:
    """Run `test` on a fresh loop; fail it if it leaves a task, a store, or an unseen exception."""
    unseen: list[str] = []

    def on_unseen(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        what = context.get("exception") or context.get("task")
        unseen.append(f"{context.get('message')}: {what!r}")

    async def owned() -> set[str]:
        await test
        for _ in range(SETTLE_TURNS):
            await asyncio.sleep(0)
        await no_store_threads()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        return {repr(task) for task in left}

    begin_test()
    with asyncio.Runner(debug=False) as runner:
        runner.get_loop().set_exception_handler(on_unseen)
        left = runner.run(owned())
        # A failed task reports when it is collected, and its traceback is a cycle.
        gc.collect(1)
    # Not asserts: pytest would have to rewrite them, and a failing test must not be masked.
    if left:
        pytest.fail(f"tasks left unowned: {sorted(left)}", pytrace=False)
    if unseen:
        pytest.fail(f"the loop's exception handler was called: {unseen}", pytrace=False)
