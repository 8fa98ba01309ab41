"""What goes in is there or has come out: sums over a history and over an end state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.simulation.check.search_exceeded import SearchExceeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from actors.simulation.check.history import Operation

# Different sums that the unknown operations could make: some megabytes.
SUMS_MAX: Final = 100_000


def check_sum(
    operations: Iterable[Operation],
    *,
    before: int,
    after: int,
    delta_of: Callable[[Operation], int],
    sums_max: int = SUMS_MAX,
) -> tuple[str, ...]:
    """Check that `after` is `before` and what the operations added; return what is wrong.

    `delta_of` says what an operation adds, negative for what it takes, if it takes effect: all that
    are `ok` did, some of those that are `unknown`, none that failed. For an answer that was a no,
    let it return 0. Raises `SearchExceeded` where the unknown ones can make more than `sums_max`
    different sums.
    """
    acknowledged = 0
    possible = {0}
    unknown: list[int] = []
    for operation in operations:
        delta = 0 if operation.outcome == "fail" else delta_of(operation)
        if operation.outcome == "ok":
            acknowledged += delta
        elif delta:
            unknown.append(delta)
            possible |= {total + delta for total in possible}
            if len(possible) > sums_max:
                raise SearchExceeded(
                    f"{len(unknown)} unknown operations make more than {sums_max} different sums"
                )
    if after - before - acknowledged in possible:
        return ()
    some = f" and some of {unknown} of unknown outcome" if unknown else ""
    difference = f"{before} became {after}, a difference of {after - before:+}"
    return (f"{difference}; acknowledged are {acknowledged:+}{some}",)


def check_conserved(
    what: str, given: Mapping[str, int], accounted: Mapping[str, int]
) -> tuple[str, ...]:
    """Check that two accounts of the same `what` have one sum; return what is wrong.

    check_conserved("cents", {"charged": 100}, {"kept": 70, "refunded": 30})
    """
    missing = sum(given.values()) - sum(accounted.values())
    if not missing:
        return ()
    lost = f"{missing} {what} were lost" if missing > 0 else f"{-missing} {what} came from nowhere"
    return (f"{lost}: {_account(given)}, but {_account(accounted)}",)


def _account(amounts: Mapping[str, int]) -> str:
    parts = " + ".join(f"{amount} {name}" for name, amount in amounts.items())
    return f"{parts or 'nothing'} = {sum(amounts.values())}"
