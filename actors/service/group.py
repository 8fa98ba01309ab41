"""Services that stand under a supervisor of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from actors.errors import ConfigError
from actors.kernel.supervision.child_spec import ChildSpec, Strategy, SupervisorSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Who restarts with whom; see SupervisorSpec for the strategies and the budget.

    `services` start in their order. A name may be that of a stateless service: all its replicas.
    """

    name: str
    services: tuple[str, ...]
    strategy: Strategy = "one_for_one"
    intensity: int | None = None
    period_s: float | None = None


def grouped(
    children: Mapping[str, Sequence[ChildSpec]], groups: Sequence[Group]
) -> tuple[ChildSpec | SupervisorSpec, ...]:
    """Return the root's children, those of a group under its supervisor, where the first stood.

    `children` are by service. Raises ConfigError where a group's service is not there, or in two.
    """
    group_of: dict[str, Group] = {}
    for group in groups:
        for name in group.services:
            if name not in children:
                message = f"group {group.name}: there is no service {name!r} to supervise"
                raise ConfigError(message)
            if name in group_of:
                message = f"group {group.name}: {name!r} is in {group_of[name].name} already"
                raise ConfigError(message)
            group_of[name] = group
    found: list[ChildSpec | SupervisorSpec] = []
    made: set[str] = set()
    for name, specs in children.items():
        group_ = group_of.get(name)
        if group_ is None:
            found += specs
        elif group_.name not in made:
            made.add(group_.name)
            below = [each for service in group_.services for each in children[service]]
            found.append(
                SupervisorSpec(
                    name=group_.name,
                    children=tuple(below),
                    strategy=group_.strategy,
                    intensity=group_.intensity,
                    period_s=group_.period_s,
                )
            )
    return tuple(found)
