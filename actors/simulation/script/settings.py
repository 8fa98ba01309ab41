"""What an operator may set anew when a process starts again: other limits, other times."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from actors.simulation.script.knobs import LIMITS, is_set, with_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actors.config import Config

# Key of the configuration -> what it may become: what a knob may be, and times, wider and narrower.
SETTINGS: Final[Mapping[str, Sequence[float]]] = MappingProxyType(
    {
        **LIMITS,
        "channel.retry_s": (1.0,),
        "timer.retry_s": (1.0,),
        # Virtual time costs nothing: what gives way does so for long.
        "background.share_min": (0.01, 1.0),
        "effect.backoff_s_min": (2.0, 0.01),
        # Longer alone: a client that asks again when its key is forgotten has asked for two.
        "store.client_keys_kept_s": (172_800.0,),
        "store.edge_keys_kept_s": (7_200.0,),
    }
)


def setting_names(
    config: Config, more: Mapping[str, Sequence[float]], explicit: Mapping[str, Any]
) -> tuple[str, ...]:
    """Return `key=value` for all that may be set, `more` among it, without what is `explicit`."""
    return tuple(
        f"{key}={value:g}"
        for key, values in {**SETTINGS, **more}.items()
        if not is_set(explicit, key) and _has(config, key)
        for value in values
    )


def set_anew(config: Config, name: str) -> Config:
    """Return the configuration with one setting, a `key=value`, whose type stays as it was."""
    key, _, text = name.partition("=")
    kind = type(_found(config, key))
    changed: Config = with_value(config, key.split("."), kind(float(text)))
    return changed


def _has(config: Config, key: str) -> bool:
    return config.named(key.partition(".")[0]) is not None


def _found(config: Config, key: str) -> Any:
    found: Any = config
    for name in key.split("."):
        found = getattr(found, name)
    return found
