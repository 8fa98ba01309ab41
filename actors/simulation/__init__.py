"""The whole system on virtual time, from one seed: what breaks it, what it does, what must hold.

The names in `__all__` are what the author of a `Scenario` uses: what its methods are given, and the
checkers. They are imported when they are asked for. Everything else is internal.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.simulation.check.assertions import always, sometimes
    from actors.simulation.check.conservation import check_conserved, check_sum
    from actors.simulation.check.exactly_once import check_exactly_once
    from actors.simulation.check.history import History, Operation
    from actors.simulation.check.linearizability import check_linearizability
    from actors.simulation.check.model import Deterministic
    from actors.simulation.check.standard_models import Counter, Members, Register
    from actors.simulation.script.chooser import Chooser
    from actors.simulation.stage.client import Client

__all__ = [
    "Chooser",
    "Client",
    "Clock",
    "Config",
    "Counter",
    "Deterministic",
    "History",
    "Members",
    "Operation",
    "Register",
    "always",
    "check_conserved",
    "check_exactly_once",
    "check_linearizability",
    "check_sum",
    "sometimes",
]

# Where they are at home: what is above, to be read at run time.
_HOMES = {
    "actors.config": "Config",
    "actors.kernel.clock": "Clock",
    "actors.simulation.check.assertions": "always sometimes",
    "actors.simulation.check.conservation": "check_conserved check_sum",
    "actors.simulation.check.exactly_once": "check_exactly_once",
    "actors.simulation.check.history": "History Operation",
    "actors.simulation.check.linearizability": "check_linearizability",
    "actors.simulation.check.model": "Deterministic",
    "actors.simulation.check.standard_models": "Counter Members Register",
    "actors.simulation.script.chooser": "Chooser",
    "actors.simulation.stage.client": "Client",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if not TYPE_CHECKING:  # else a checker would take any name for one of ours

    def __getattr__(name: str) -> Any:
        home = _HOME_OF.get(name)
        if home is None:
            message = f"actors.simulation has no {name!r}: a scenario's are {', '.join(__all__)}"
            raise AttributeError(message)
        value = globals()[name] = getattr(importlib.import_module(home), name)
        return value
