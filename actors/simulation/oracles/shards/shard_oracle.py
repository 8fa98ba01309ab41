"""Guarantee 46: a shard has the rows of its own keys, and runs what is meant for it alone."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from actors.service.common_invariants import reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from actors.simulation.oracles.handled import Content, Handled


class Declared(NamedTuple):
    """A service that is kept in so many `shards`, by a field of its messages, `key`.

    `columns` is where in each table of its own the key stands.
    """

    service: str
    key: str
    shards: int
    columns: Mapping[str, str]


class ShardOracle:
    """Knows which shard has which key by the rule as SERVICES.md has it."""

    def __init__(self) -> None:
        """None is declared yet."""
        self._declared: dict[str, Declared] = {}

    def declare(self, declared: Sequence[Declared]) -> None:
        """From now on these are all there are."""
        self._declared = {each.service: each for each in declared}

    def place(self, service: str, what: Content) -> str:
        """Return who of the service is sent this: itself, where it is not sharded."""
        declared = self._declared.get(service)
        if declared is None:
            return service
        key = json.loads(what.json).get(declared.key)
        text = what.json.decode() if key is None else str(key)
        return shard_of(service, declared.shards, text)

    def hear(self, store: str, batch: Sequence[Handled]) -> Iterator[str]:
        """Yield what a shard has done that was for another."""
        declared = self._of(store) if self._declared else None
        if declared is None:
            return
        for each in batch:
            key = getattr(each.envelope.message, declared.key, None)
            if each.keeps and each.run is not None and key is not None:
                yield from self._stray(declared, store, type(each.envelope.message).__name__, key)

    def left(self, folder: Path) -> Iterator[str]:
        """Yield the rows at rest that are another shard's."""
        for declared in self._declared.values():
            for number in range(1, declared.shards + 1):
                name = f"{declared.service}-{number}"
                path = folder / f"{name}.db"
                if not path.exists():
                    continue
                with reading(path) as connection:
                    for table, column in declared.columns.items():
                        sql = f'SELECT DISTINCT "{column}" FROM "{table}"'  # noqa: S608 - declared
                        for (key,) in connection.execute(sql).fetchall():
                            yield from self._stray(declared, name, f"a row of {table}", key)

    # --- Inside ------------------------------------------------------------------------------

    def _of(self, store: str) -> Declared | None:
        return self._declared.get(store.rpartition("-")[0])

    def _stray(self, declared: Declared, store: str, what: str, key: Any) -> Iterator[str]:
        meant = shard_of(declared.service, declared.shards, str(key))
        if meant != store:
            yield f"{store} has {what} of {key!r}, which is {meant}'s"


def shard_of(service: str, shards: int, text: str) -> str:
    """Return the shard whose number, as the key of a BLAKE2b of 8 bytes, has the highest digest."""

    def digest(number: int) -> str:
        return blake2b(text.encode(), digest_size=8, key=str(number).encode()).hexdigest()

    return f"{service}-{max(range(1, shards + 1), key=digest)}"
