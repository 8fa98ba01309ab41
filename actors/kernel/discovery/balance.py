"""Who of several that can answer gets the next message: one class a policy, and their table."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from actors.kernel.actor import AsyncioActor
    from actors.kernel.rng import Rng

# By a field of the message: `key:customer_id`.
KEY: Final = "key:"


class Candidate(NamedTuple):
    """A replica in the rotation: its place among `of` replicas, and how much it is to get."""

    place: int
    of: int
    actor: AsyncioActor
    weight: float


class Balance(Protocol):
    """Picks for one service; what it remembers is in it."""

    def pick(self, among: Sequence[Candidate], message: Any, now_s: float) -> Candidate:
        """Return one of them, of which there are some."""
        ...


class LeastLoaded:
    """The one with the least queued and in hand; equals take turns."""

    def __init__(self) -> None:
        self._turn = 0

    def pick(self, among: Sequence[Candidate], message: Any, now_s: float) -> Candidate:
        """Return one of them."""
        del message, now_s
        turn, chosen, least = self._turn, among[0], None
        for each in among:
            # Of equals the first from whose turn it is.
            load = each.actor.actor_inbox.depth / each.weight, (each.place - turn) % each.of
            if least is None or load < least:
                chosen, least = each, load
        self._turn = chosen.place + 1
        return chosen


class RoundRobin:
    """Each in its turn, whatever it has to do; one of half the weight has half as many turns.

    The smooth weighted round robin of nginx (I. Sysoev, 2012, ngx_http_upstream_round_robin.c):
    each gains its weight, the richest is picked and pays for all.
    """

    def __init__(self) -> None:
        self._gained: dict[str, float] = {}

    def pick(self, among: Sequence[Candidate], message: Any, now_s: float) -> Candidate:
        """Return one of them."""
        del message, now_s
        # Who is out for a while keeps nothing: else all would be his when he is back.
        gained = {each.actor.name: self._gained.get(each.actor.name, 0.0) for each in among}
        for each in among:
            gained[each.actor.name] += each.weight
        chosen = max(among, key=lambda each: gained[each.actor.name])
        gained[chosen.actor.name] -= sum(each.weight for each in among)
        self._gained = gained
        return chosen


class TwoChoices:
    """The better of two that chance picks, by what waits there and for how long.

    M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE TPDS 12(10),
    2001: nearly as even as the least loaded of all, and many that pick by the same picture do not
    all pick the same one.
    """

    def __init__(self, rng: Rng) -> None:
        self._rng = rng

    def pick(self, among: Sequence[Candidate], message: Any, now_s: float) -> Candidate:
        """Return one of them."""
        del message
        if len(among) == 1:
            return among[0]
        count = len(among)
        first = self._rng.randrange(count)
        second = self._rng.randrange(count - 1)
        one, other = among[first], among[second + (second >= first)]
        return one if _cost(one, now_s) <= _cost(other, now_s) else other


def _cost(candidate: Candidate, now_s: float) -> float:
    """Return what it has to do, each second that the oldest has waited counted like all of it."""
    mailbox = candidate.actor.actor_inbox
    waited_s = now_s - mailbox.oldest_s(now_s)
    return (mailbox.depth + 1) * (1.0 + waited_s) / candidate.weight


class ByKey:
    """Messages that are equal in one field go to the same replica, as long as that is there.

    Rendezvous hashing (D. Thaler, C. Ravishankar, "Using Name-Based Mappings to Increase Hit
    Rates", IEEE/ACM ToN 6(1), 1998): where one leaves, its keys alone move, and come back with it.
    """

    def __init__(self, field: str) -> None:
        self._field = field

    def pick(self, among: Sequence[Candidate], message: Any, now_s: float) -> Candidate:
        """Return one of them."""
        del now_s
        key = str(getattr(message, self._field, None)).encode()
        return max(among, key=lambda each: rendezvous(each.actor.name, key))


def rendezvous(name: str, key: bytes) -> bytes:
    """Return how much `name` wants `key`: the same in every process."""
    return blake2b(key, digest_size=8, key=name.encode()[:64]).digest()


_POLICIES: Final[Mapping[str, Callable[[Rng], Balance]]] = {
    "least_loaded": lambda _: LeastLoaded(),
    "round_robin": lambda _: RoundRobin(),
    "two_choices": lambda rng: TwoChoices(rng.fork("two choices")),
}
LEAST_LOADED: Final = "least_loaded"


def balance_of(policy: str, rng: Rng) -> Balance:
    """Return what picks by that policy. Raises ValueError as `check_policy`."""
    check_policy(policy)
    if policy.startswith(KEY):
        return ByKey(policy.removeprefix(KEY))
    return _POLICIES[policy](rng)


def check_policy(policy: str) -> None:
    """Raise ValueError, which names those there are, where there is no such policy."""
    field = policy.removeprefix(KEY)
    if policy not in _POLICIES and (field == policy or not field.isidentifier()):
        message = f"there is no balance {policy!r}: choose {', '.join(_POLICIES)} or {KEY}FIELD"
        raise ValueError(message)
