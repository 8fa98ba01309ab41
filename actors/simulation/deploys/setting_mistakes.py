"""Mistakes in a configuration, and in the sections that a system declares."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from actors.config import Section
from actors.simulation.deploys.mistake import Broken, Mistake

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from actors.simulation.deploys.parts import Parts


class NextConfig(Section):
    kept_s: float = 1.0


class Unready(Section):
    """A key that has to be set, and is not."""

    kept_s: float


# What is wrong -> what is set, and what is said.
SET: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "a key that there is not": ("mailbox.capacities=1", "[mailbox] has no key 'capacities'"),
        "a section that there is not": ("nobody.key=1", "has a section 'nobody'"),
        "a value that is out of its bounds": ("mailbox.capacity=0", "mailbox.capacity: Expected"),
        "a value of another type": ('channel.retry_s="soon"', "channel.retry_s: Expected"),
        "a value in place of a section": ("mailbox=1", "mailbox is a table, and no value"),
        "a word that is none of those": ('mailbox.overflow="ignore"', "mailbox.overflow: Invalid"),
        "a wait that is longer than its longest": ("effect.backoff_s_min=1e9", "set both together"),
        "a setting without a value": ("mailbox.capacity", "write it as SECTION.KEY=VALUE"),
        "a list that is none": ("edge.hosts=1", "edge.hosts: Expected"),
    }
)
# What is wrong -> the sections that are declared, and what is said.
DECLARED: Final[Mapping[str, tuple[Mapping[str, Any], str]]] = MappingProxyType(
    {
        "a section's name that is taken": (
            {"edge": NextConfig}, "has a section 'edge' already",
        ),
        "a section's name that is none": (
            {"Next one": NextConfig}, "'Next one' can be no section",
        ),
        "a section that is none": ({"next": dict}, "section next is no subclass of Section"),
        "two sections of one type": (
            {"next": NextConfig, "other": NextConfig}, "has the type of section next",
        ),
        "a key without a default": ({"next": Unready}, "a key of next has no default"),
    }
)  # fmt: skip


def _set(parts: Parts, _place: object, *, setting: str, says: str) -> Broken:
    return Broken(systems=lambda _: parts.systems, says=(says,), settings=(setting,))


def _declared(parts: Parts, number: int, *, sections: Mapping[str, Any], says: str) -> Broken:
    config = {**parts.systems[number].config, **sections}
    return Broken(
        systems=lambda _: parts.with_system(number, config=config), says=(says,), settings=()
    )


def _ruled(
    parts: Parts, number: int, *, rules: Callable[[Any], Sequence[Any]], says: str
) -> Broken:
    return Broken(
        systems=lambda _: parts.with_system(number, rules=rules), says=(says,), settings=()
    )


def _each(parts: Parts) -> Sequence[int]:
    return range(len(parts.systems))


SETTING_MISTAKES: Final[Mapping[str, Mistake]] = MappingProxyType(
    {
        **{
            name: Mistake(places=_each, make=partial(_set, setting=setting, says=says))
            for name, (setting, says) in SET.items()
        },
        **{
            name: Mistake(places=_each, make=partial(_declared, sections=sections, says=says))
            for name, (sections, says) in DECLARED.items()
        },
        "two keys that contradict each other": Mistake(
            places=_each,
            make=partial(
                _ruled,
                rules=lambda _: [(False, "next.a is below next.b")],
                says="set both together",
            ),
        ),
        "a rule that cannot be looked at": Mistake(
            places=_each,
            make=partial(_ruled, rules=lambda config: config.next, says="rules raised"),
        ),
    }
)
