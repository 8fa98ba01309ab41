"""Services that stand under a supervisor of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import msgspec

from actors.config import NAME
from actors.errors import ConfigError
from actors.kernel.supervision.child_spec import ChildSpec, Strategy, SupervisorSpec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence


# The root of the tree, beside which nobody else may be called so.
ROOT = "root"


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

    `children` are by service. Raises ConfigError as `check_groups`.
    """
    check_groups(groups, children)
    group_of = {name: group for group in groups for name in group.services}
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


def check_groups(groups: Sequence[Group], services: Collection[str]) -> None:
    """Raise ConfigError where a group cannot be, or two cannot be told apart by their names."""
    group_of: dict[str, str] = {}
    names = {ROOT, *services}
    for group in groups:
        for fault in _faults(group, services, names, group_of):
            message = f"group {group.name}: {fault}"
            raise ConfigError(message)
        names.add(group.name)


def _faults(
    group: Group, services: Collection[str], names: Collection[str], group_of: dict[str, str]
) -> Iterator[str]:
    if not NAME.fullmatch(group.name):
        yield "call it with a-z, 0-9 and _, a letter first"
    if group.name in names:
        yield "a service, another group or the root is called so"
    if group.strategy not in get_args(Strategy):
        yield f"there is no strategy {group.strategy!r} but {', '.join(get_args(Strategy))}"
    if (group.intensity or 0) < 0:
        yield "intensity is how many restarts are allowed: from 0 on"
    if group.period_s is not None and not group.period_s > 0:
        yield "period_s is above 0 seconds"
    for name in group.services:
        if name not in services:
            yield f"there is no service {name!r} to supervise: name some of {', '.join(services)}"
        if name in group_of:
            yield f"{name!r} is in {group_of[name]} already"
        group_of[name] = group.name
