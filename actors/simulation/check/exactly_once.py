"""Every acknowledged operation's effect exists once; nobody else's does."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from actors.simulation.check.history import Operation

E = TypeVar("E", bound="Hashable")


def is_acknowledged(operation: Operation) -> bool:
    """Whether it ended `ok`: true of an answer that was a no as well."""
    return operation.outcome == "ok"


def check_exactly_once(
    operations: Iterable[Operation],
    effects: Iterable[E],
    *,
    effect_of: Callable[[Operation], E | None],
    acknowledged: Callable[[Operation], bool] = is_acknowledged,
) -> tuple[str, ...]:
    """Compare what was asked with `effects`, all that exist in the end; return what is wrong.

    `effect_of` names the effect that an operation has if it has one, None for an operation without.
    `acknowledged` tells a yes from a no among those that ended `ok`. Operations that name the same
    effect are retries of one request:

    | of its attempts | the effect exists |
    | --- | --- |
    | one was acknowledged | once |
    | else, one is unknown | once or never |
    | else | never |

    An effect that nobody asked for must not exist at all.
    """
    attempts: dict[E, list[Operation]] = {}
    for operation in operations:
        effect = effect_of(operation)
        if effect is not None:
            attempts.setdefault(effect, []).append(operation)
    found = Counter(effects)
    troubles = []
    for effect, asked in attempts.items():
        least = int(any(acknowledged(operation) for operation in asked))
        most = int(least or any(operation.outcome == "unknown" for operation in asked))
        if not least <= found[effect] <= most:
            allowed = "once" if least else "at most once" if most else "never"
            troubles.append(
                f"{effect!r} exists {_times(found[effect])}, but should {allowed}: "
                + "; ".join(map(str, asked))
            )
    troubles += [
        f"{effect!r} exists {_times(count)}, and nobody asked for it"
        for effect, count in found.items()
        if effect not in attempts
    ]
    return tuple(troubles)


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")
