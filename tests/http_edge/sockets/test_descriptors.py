"""What fits into the open files allowed, whatever these are."""

from __future__ import annotations

import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.config import load_config
from actors.errors import ConfigError
from http_edge.sockets.descriptors import FILES_A_STORE, FILES_OTHER, fit

LISTENERS = 4
CONFIG = load_config().edge
# Eight on each of four listeners, one more to ask what a newcomer wants, and as many at once.
FOR_CONNECTIONS_MIN = 72
INFINITY = resource.RLIM_INFINITY


class Limits:
    """Stands for the kernel's."""

    def __init__(self, soft: int, hard: int) -> None:
        self.soft = soft
        self.hard = hard

    def getrlimit(self, which: int) -> tuple[int, int]:
        assert which == resource.RLIMIT_NOFILE
        return self.soft, self.hard

    def setrlimit(self, which: int, limits: tuple[int, int]) -> None:
        assert which == resource.RLIMIT_NOFILE
        self.soft, hard = limits
        assert hard == self.hard
        assert self.hard == INFINITY or self.soft <= self.hard


def given_limits(soft: int, hard: int, patch: pytest.MonkeyPatch) -> Limits:
    limits = Limits(soft, hard)
    patch.setattr(resource, "getrlimit", limits.getrlimit)
    patch.setattr(resource, "setrlimit", limits.setrlimit)
    return limits


@given(soft=st.integers(16, 40_000), more=st.integers(0, 40_000), stores=st.integers(1, 40))
def test_what_is_allowed_fits_or_is_refused(soft: int, more: int, stores: int) -> None:
    """The stores' files and all connections at once are never more than the limit."""
    kept = FILES_OTHER + stores * FILES_A_STORE
    with pytest.MonkeyPatch.context() as patch:
        limits = given_limits(soft, soft + more, patch)
        if soft + more < kept + FOR_CONNECTIONS_MIN:
            with pytest.raises(ConfigError, match="ulimit -n"):
                fit(CONFIG, stores=stores, listeners=LISTENERS)
            return
        config, limit, descriptors_max = fit(CONFIG, stores=stores, listeners=LISTENERS)
        assert limit == limits.soft
    each = config.connections_max + config.connections_reserved
    # A crowd that is accepted before any of it is refused: 128 a pass, for eight passes.
    at_once = min(256, (limit - kept) // 2)
    assert LISTENERS * each + at_once + kept <= limit
    assert 8 <= config.connections_max <= CONFIG.connections_max
    assert config.connections_reserved >= 1
    assert descriptors_max < limit


@pytest.mark.parametrize("hard", [INFINITY, 1_000_000_000, 1_048_576])
def test_the_soft_limit_is_raised_to_what_is_needed(
    hard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no further, however high it may be; nothing that is configured is lowered then."""
    limits = given_limits(1024, hard, monkeypatch)
    config, limit, _ = fit(CONFIG, stores=12, listeners=LISTENERS)
    assert config == CONFIG
    assert limit == limits.soft
    assert 16_384 < limit < 32_768


def test_a_limit_that_is_enough_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that is none."""
    for soft in (100_000, INFINITY):
        limits = given_limits(soft, soft, monkeypatch)
        assert fit(CONFIG, stores=12, listeners=LISTENERS).config == CONFIG
        assert limits.soft == soft
