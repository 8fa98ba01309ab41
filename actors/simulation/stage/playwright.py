"""Decides what is played: the requests, the faults, the limits and the order of each seed."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.errors import line_at
from actors.kernel.rng import Rng
from actors.simulation.errors import SimulationError
from actors.simulation.script.chooser import SeededChooser
from actors.simulation.script.crash_points import CrashPoints  # noqa: TC001 - a field's type
from actors.simulation.script.knobs import choose_knobs, is_set
from actors.simulation.script.profile import (
    Profile,
    assemble,
    begun_earlier,
    choose_order,
    choose_slot,
    draw_schedule,
)
from actors.simulation.script.schedule import Schedule
from actors.simulation.script.script import Script
from actors.simulation.script.targets import Targets  # noqa: TC001 - a field's type
from actors.simulation.script.workload import choose_request, draw_workload, present
from actors.simulation.sealed.escapes import forbid
from actors.simulation.stage.author_line import short_place
