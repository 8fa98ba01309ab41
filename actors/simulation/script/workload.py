"""What clients ask of a simulated system, and when, as a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec

from actors.simulation.script.chooser import SeededChooser
from actors.simulation.script.profile import choose_gap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from actors.kernel.rng import Rng
    from actors.simulation.script.chooser import Chooser

C = TypeVar("C")

CLIENTS: Final = 3
REQUESTS_MAX: Final = 20


class ClientRequest(msgspec.Struct, Generic[C], frozen=True):
    """`gap_us` microseconds after the request before it was due, `client` is to make `call`.

    Clients are numbered from 0. One that still waits for an answer is late; the others are not.
    """

    gap_us: int
    client: int
    call: C


Workload = tuple[ClientRequest[C], ...]


def draw_workload(
    rng: Rng,
    choose_call: Callable[[Chooser], C],
    *,
    clients: int = CLIENTS,
    requests_max: int = REQUESTS_MAX,
) -> Workload[C]:
    """Draw from a seed what `strategies.workloads(drawn(choose_call))` draws in Hypothesis."""
    choose = SeededChooser(rng)
    return present(choose_request(choose, choose_call, clients) for _ in range(requests_max))


def choose_request(
    choose: Chooser, choose_call: Callable[[Chooser], C], clients: int
) -> ClientRequest[C] | None:
    """Choose a request, or, once in four, nothing."""
    if not choose(4):
        return None
    return ClientRequest(choose_gap(choose), choose(clients), choose_call(choose))


def present(requests: Iterable[ClientRequest[C] | None]) -> Workload[C]:
    """Leave out what was not drawn."""
    return tuple(request for request in requests if request is not None)
