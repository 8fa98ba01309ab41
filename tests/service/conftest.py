"""What the tests of services share."""

from __future__ import annotations

import pytest

from tests.service.callers import World
from tests.service.desks import SteppingClock


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


@pytest.fixture
def world(clock: SteppingClock) -> World:
    return World(clock)
