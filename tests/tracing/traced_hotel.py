"""A hotel of which every request is traced, and whose traces are looked at in the end of a run."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.systems.hotel.scenario.scenario import HotelScenario
from actors.systems.hotel.system import HOTEL
from tests.tracing.trace_check import noting, rows_in, wrong_traces

if TYPE_CHECKING:
    from pathlib import Path

    from actors.config import Config
    from tests.tracing.trace_check import Sent


class TracedHotel(HotelScenario):
    """Holds every orphan and every hole against the run."""

    def __init__(self) -> None:
        """Forget what was sent in another run: each begins with one of these, and makes no more.

        The same seed has the same trace's ids, whatever the profile.
        """
        super().__init__()
        all_sent().clear()

    def configure(self, config: Config) -> Config:
        """Trace everything."""
        hotel = super().configure(config)
        return msgspec.structs.replace(
            hotel, trace=msgspec.structs.replace(hotel.trace, sample_share=1.0)
        )

    def violations(self, folder: Path, *rest: Any) -> list[str]:
        """Look at the files, at rest."""
        found = super().violations(folder, *rest)
        return [*found, *wrong_traces(rows_in(folder), all_sent())]


# Kept here: nobody notes any more once it is gone.
_NOTING: Final = noting()


@functools.cache
def all_sent() -> set[Sent]:
    """Return what is sent in this process from the first call on, which is before any run."""
    return _NOTING.__enter__()


TRACED_HOTEL: Final = replace(HOTEL, name="traced_hotel", scenario=lambda: TracedHotel)
