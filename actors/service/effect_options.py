"""What an effect's author says of its attempts: in numbers, or by functions of the service."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from actors.config import Count, Positive
from actors.errors import ConfigError, declared

BOUNDS: Final[dict[str, Any]] = {
    "limit_s": Positive,
    "attempts_max": Count,
    "again_s": Positive,
    "together_max": Count,
}


class EffectOptions(msgspec.Struct, frozen=True, kw_only=True):
    """As declared by `effect`; None: as configured or, of `again_s`, that it gives up."""

    limit_s: Any = None
    attempts_max: Any = None
    again_s: Any = None
    together_max: Any = None

    def check(self, handler: str) -> None:
        """Raise TypeError, naming the handler, where a number cannot be; functions are later's."""
        for option in BOUNDS:
            if not callable(getattr(self, option)):
                self.value(option, handler, None)

    def value(self, option: str, handler: str, service: Any) -> Any:
        """Return what the option is for this instance of the service, or None.

        Raises TypeError where a number cannot be, ConfigError where a function returns or raises
        what cannot be.
        """
        said = value = getattr(self, option)
        if said is None:
            return None
        if callable(said):
            with declared(handler, f"@effect({option}=…)"):
                value = said(service)
        try:
            return msgspec.convert(value, BOUNDS[option])
        except msgspec.ValidationError as wrong:
            error = f"{handler}: @effect({option}=…) is {value!r}: {wrong}"
            raise (ConfigError if callable(said) else TypeError)(error) from wrong
