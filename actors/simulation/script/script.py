"""All that decides a run, as a value."""

from __future__ import annotations

from typing import Any

import msgspec

from actors.simulation.script.knobs import Knob  # noqa: TC001 - a field's type
from actors.simulation.script.schedule import Schedule  # noqa: TC001 - a field's type
from actors.simulation.time.order import Order


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides a run: a seed of chance, the requests, the faults, the limits, the order."""

    seed: int
    workload: Any
    schedule: Schedule
    knobs: tuple[Knob, ...] = ()
    order: Order = Order()
