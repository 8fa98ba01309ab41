"""What an effect's author says of its attempts, in numbers or by functions of the service.

What the configuration says of that effect goes before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.config import Count, NotNegative, Positive
from actors.errors import ConfigError, declared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actors.config import Config

BOUNDS: Final[dict[str, Any]] = {
    "limit_s": Positive,
    "attempts_max": Count,
    "again_s": Positive,
    "together_max": Count,
    "running_max": Count,
    "slow_s": NotNegative,
}


class EffectOptions(msgspec.Struct, frozen=True, kw_only=True):
    """As declared by `effect`; None: as configured or, of `again_s`, that it gives up."""

    limit_s: Any = None
    attempts_max: Any = None
    again_s: Any = None
    together_max: Any = None
    running_max: Any = None
    slow_s: Any = None

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


class EffectTable(msgspec.Struct, frozen=True):
    """What the configuration says of one effect: `keys`, under `where`."""

    where: str = ""
    keys: Mapping[str, Any] = {}

    def value(self, option: str) -> Any:
        """Return what it says of the option, or None. Raises ConfigError where that cannot be."""
        if (value := self.keys.get(option)) is None:
            return None
        try:
            return msgspec.convert(value, BOUNDS[option])
        except msgspec.ValidationError as wrong:
            error = f"configuration: {self.where}.{option} is {value!r}: {wrong}"
            raise ConfigError(error) from wrong


def effect_tables(
    config: Config, service: str, effects: Mapping[str, bool]
) -> dict[str, EffectTable]:
    """Return what the configuration says of the service's `effects`, by name, and of those alone.

    The effects are given with whether they take lists. Raises ConfigError where it says something
    of an effect that there is not, or what means nothing.
    """
    found: dict[str, EffectTable] = {}
    for section, tables in config.effect_tables():
        for effect, keys in tables.get(service, {}).items():
            where = f"{section}.effects.{service}.{effect}"
            if effect not in effects:
                there = ", ".join(effects) or "none"
                error = f"configuration: [{where}] is of no effect: {service} has {there}"
                raise ConfigError(error)
            for key in keys:
                if key not in BOUNDS:
                    error = (
                        f"configuration: [{where}] has no key {key!r}; it has {', '.join(BOUNDS)}"
                    )
                    raise ConfigError(error)
            if "together_max" in keys and not effects[effect]:
                error = (
                    f"configuration: {where}.together_max is for an effect that takes a list; "
                    f"remove it: {effect} takes one message at a time"
                )
                raise ConfigError(error)
            found[effect] = EffectTable(where, keys)
    return found
