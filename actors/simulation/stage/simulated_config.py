"""What a system is configured as in a simulation: its own, the scenario's, and what was set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from actors.config import Config, ListenerConfig, Section
from actors.simulation.errors import NoScenario
from actors.simulation.net.host_table import ANY
from actors.simulation.stage.edge_host import EDGE_HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


T = TypeVar("T", bound=Section)

# Where the gateway listens if it may listen anywhere: clients must know.
PORT: Final = 8_000


# Of the edge: by which names it may be asked, ours in a simulation among them.
HOSTS: Final = "hosts"


def simulated(
    config: Config, configure: Callable[[Config], Config], explicit: Mapping[str, Any]
) -> Config:
    """Return what is played: what somebody has set, `explicit`, stays as `config` has it.

    But for who listens where: that is the simulated network's. Raises NoScenario where the scenario
    returns something else.
    """
    changed: object = configure(_simulated(config))
    if not isinstance(changed, Config):
        raise NoScenario(f"a scenario's configure returns a configuration; this is {changed!r}")
    return _kept(changed, config, explicit)


def _kept(changed: T, loaded: Any, keys: Mapping[str, Any]) -> T:
    values: dict[str, Any] = {}
    for key, below in keys.items():
        value = getattr(loaded, key)
        if isinstance(value, Section) and not isinstance(value, ListenerConfig):
            values[key] = _kept(getattr(changed, key), value, below)
        elif not isinstance(value, ListenerConfig) and key != HOSTS:
            values[key] = value
    return msgspec.structs.replace(changed, **values)


def _simulated(config: Config) -> Config:
    """Listen to the other hosts, by our name there; poll the wall clock less; lose patience sooner.

    Most of a run's virtual time is waiting for timers; and what happens only after 25 failures, or
    with eight clients at once, does not happen in ten requests.
    """
    replace = msgspec.structs.replace
    listeners = {name: replace(each, host=ANY) for name, each in config.edge.listeners()}
    gateway = listeners["gateway"]
    listeners["gateway"] = replace(gateway, port=gateway.port or PORT)
    edge = replace(config.edge, hosts=(*config.edge.hosts, EDGE_HOST), **listeners)
    return replace(
        config,
        edge=edge,
        timer=replace(config.timer, poll_s_max=20.0),
        effect=replace(
            config.effect,
            effect_s_max=0.5,
            attempts_max=3,
            silence_s=0.001,
            retries_s_min=0.2,
        ),
        background=replace(config.background, requests_min=2, slice_messages=4),
        breaker=replace(config.breaker, window_calls=8, calls_min=4, open_s=2.0, probe_s_max=1.0),
    )
