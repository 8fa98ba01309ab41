"""Which of a service's shards has a key: the same in every process, for files depend on it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec

from actors.kernel.discovery.balance import rendezvous

# So many keys' places are remembered, some 1 MB of them: the edge, who asks and the shard's guard
# each look for the place of one message. With four shards a look is 12 us, or, remembered, one.
_KEYS_MAX: Final = 4096


class Sharding(msgspec.Struct, frozen=True):
    """`service` is kept in `shards` places, `service-1` and on, by the `key` of its messages.

    Rendezvous hashing, as of ByKey: with one more place, only what moves there would move.
    """

    service: str
    key: str
    shards: int
    # Commands without a key, by their types' names: any place takes them, and makes one.
    creates: frozenset[str] = frozenset()
    # Likewise the queries whose answers are one list, by a field of what it lists.
    in_order: frozenset[str] = frozenset()

    def names(self) -> list[str]:
        """Return the names of the places, each an actor's and a file's."""
        return [f"{self.service}-{number}" for number in range(1, self.shards + 1)]

    def place(self, key: object) -> str:
        """Return the name of the place that has this key, a text, whole number or UUID.

        By its text, and not by the service's name, so that 1 and "1" are one key.
        """
        text = str(key).encode()
        return f"{self.service}-{_number_of(self.shards, text)}"

    def key_of(self, message: Any) -> Any:
        """Return the message's key; None where it has none."""
        return getattr(message, self.key, None)


@lru_cache(maxsize=_KEYS_MAX)
def _number_of(shards: int, key: bytes) -> int:
    wants = (rendezvous(str(number), key) for number in range(1, shards + 1))
    return max(enumerate(wants, 1), key=lambda each: each[1])[0]
