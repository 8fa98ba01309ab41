"""What `/metrics` says is held to what clients were told, and to what happened behind it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.oracles.metrics_oracle import OURS, MetricsOracle, Scrape
from tests.simulation.oracles.metrics_plants import METRICS
from tests.simulation.planting import Stages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors.simulation.stage.rehearsal import Rehearsal

SEEDS = 60
# Where the search begins, near what it finds.
FIRST = 4
LATE = {"of an effect the first success alone is counted": 7}
TEXT = """# HELP dress_rehearsal_sheds_total Turned away.
# TYPE dress_rehearsal_sheds_total counter
dress_rehearsal_sheds_total{listener="gateway",reason="other"} 2.0
dress_rehearsal_wait_seconds_bucket{actor="a",le="0.5"} 3.0
dress_rehearsal_wait_seconds_count{actor="a"} 3.0
dress_rehearsal_in_progress 1.0
"""


@pytest.fixture(scope="module")
def rehearse() -> Iterator[Callable[[str, str], Rehearsal]]:
    """Return what furnishes a system, once."""
    with scratch_folder() as place, without_logs():
        yield Stages(place).rehearsal


@pytest.mark.sampled
@pytest.mark.parametrize("name", METRICS)
def test_a_wrong_number_is_found(rehearse: Callable[[str, str], Rehearsal], name: str) -> None:
    """Within sixty seeds; without the mistake, what found it finds nothing."""
    words, system, profile, planted = METRICS[name]
    rehearsal = rehearse(system, profile)
    for seed in range(LATE.get(name, FIRST), SEEDS + 1):
        script = rehearsal.script(seed)
        with planted():
            found = rehearsal.play(script).troubles
        if any(each.startswith("metrics: ") and words in each for each in found):
            break
    else:
        pytest.fail(f"not found in {SEEDS} seeds: {name}")
    assert rehearsal.play(script).troubles == ()


def opened(*failures: tuple[float, bool]) -> list[str]:
    """Return what is said of a breaker that has opened, where failures came so, of 60 s silence.

    It was asked first at 0 s and answered at 100 s; each fails at a time, in silence or not.
    """
    oracle = MetricsOracle()
    oracle.begin(frozenset(), 0.0)
    oracle.tried("desk", "FetchPart", 0.0)
    oracle.succeeded("desk", "FetchPart", 100.0)
    for at_s, silent in failures:
        oracle.failed("desk", "FetchPart", at_s, silent=silent, silence_s=60.0)
    text = f'{OURS}breaker_openings_total{{service="desk",dependency="FetchPart"}} 1.0'
    return list(oracle.scraped(text, oracle.known(), 200.0, 200.0, links_whole=True))


def test_silence_beside_answers_opens_nothing() -> None:
    """Nor does nothing at all; who says no, or nobody who is answered for long, may."""
    told = ["desk: FetchPart was left alone, though some of it was always answered"]
    assert opened() == opened((110.0, True), (129.0, True)) == told
    assert opened((110.0, False)) == opened((110.0, True), (161.0, True)) == []


def test_a_counter_that_goes_back_is_told() -> None:
    """Also one that is gone, but of an actor that is; what may fall is none, nor are buckets."""
    before = Scrape(TEXT)
    assert len(before.samples) == 3
    assert list(before.of("sheds_total")) == [({"listener": "gateway", "reason": "other"}, 2.0)]
    later = Scrape(TEXT.replace("2.0", "1.0").replace("in_progress 1.0", "in_progress 0.0"))
    assert list(later.fallen(before.samples, set())) == [
        "sheds_total gateway other was 2, and is 1"
    ]
    assert list(before.fallen(later.samples, set())) == []
    gone = Scrape("\n".join(line for line in TEXT.splitlines() if "_count" not in line))
    assert list(gone.fallen(before.samples, {"b"})) == ["wait_seconds_count a was 3, and is gone"]
    assert list(gone.fallen(before.samples, {"a"})) == []


@pytest.mark.parametrize(("number", "told"), [(2, []), (1, ["a was restarted 2 times, and not 1"])])
def test_the_restarts_of_a_replica_that_is_gone_may_be_gone(number: int, told: list[str]) -> None:
    """Of one that is there they are all there, were it another of that name."""
    oracle = MetricsOracle()
    oracle.begin(frozenset(), 0.0)
    oracle.restarted("a")
    oracle.restarted("a")
    scrape = partial(oracle.scraped, begun_s=1.0, now_s=2.0, links_whole=True)
    assert [*scrape("", oracle.known())] == ["a was restarted 2 times, and not 0"]
    oracle.left_for_good("a")
    assert [*scrape("", oracle.known())] == []
    text = f'{OURS}actor_restarts_total{{actor="a"}} {number}.0'
    assert [*scrape(text, oracle.known())] == told


def test_what_is_no_sample_is_refused() -> None:
    """A line that nobody could read is told, and not passed over."""
    with pytest.raises(ValueError, match="no sample: dress"):
        Scrape("dress_rehearsal_wait_seconds")
