"""When a listener's places run out, who has kept it waiting longest goes, and not who comes."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Protocol

# Of this many connections, the one that has been silent longest is taken for the slowest of all:
# to keep them all in order would cost each request, and to look at all of them each newcomer.
SAMPLE_CONNECTIONS: Final = 64


class Occupant(Protocol):
    """What a place needs to know of the connection that has it."""

    # Whether its place is one of the reserved.
    beyond: bool
    # When its client last sent something.
    heard_s: float

    @property
    def waits_for_client(self) -> bool:
        """Whether nothing can be done before the client sends something."""
        ...

    def make_room(self) -> None:
        """Close, for somebody else needs the place."""
        ...


class Places:
    """`connections_max` places, and `reserved` more to find out what a newcomer wants."""

    def __init__(self, connections_max: int, reserved: int) -> None:
        """Nobody is there yet."""
        self._max = connections_max
        self._reserved = reserved
        # Those without a whole head, who has been so longest first; and all others in the order in
        # which they will be looked at.
        self._heads: OrderedDict[Occupant, None] = OrderedDict()
        self._others: OrderedDict[Occupant, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._heads) + len(self._others)

    def enter(self, connection: Occupant, *, full: bool = False) -> bool:
        """Give it a place, another's if need be; False where all are at work for their clients.

        `full` says that there is no room for another reason. The connection is told where its
        place is one of the reserved.
        """
        if full or len(self) >= self._max:
            slowest = self._slowest()
            if slowest is not None:
                self.leave(slowest)
                slowest.make_room()
            elif full or len(self) >= self._max + self._reserved:
                return False
            else:
                connection.beyond = True
        self._heads[connection] = None
        return True

    def head_begins(self, connection: Occupant) -> None:
        """It was served before, and has sent half a head."""
        if connection in self._others:
            del self._others[connection]
            self._heads[connection] = None

    def head_ends(self, connection: Occupant) -> None:
        """It has something to do; one on a reserved place gets a proper one if there is any now."""
        if connection not in self._heads:  # it lost its place, and closes
            return
        del self._heads[connection]
        self._others[connection] = None
        if connection.beyond and len(self) <= self._max:
            connection.beyond = False

    def leave(self, connection: Occupant) -> None:
        """Its place is free; nothing where it had none."""
        self._heads.pop(connection, None)
        self._others.pop(connection, None)

    def _slowest(self) -> Occupant | None:
        """Return who has been without a whole head longest, else a client that is waited for."""
        for connection in self._heads:
            return connection
        slowest: Occupant | None = None
        for _ in range(min(SAMPLE_CONNECTIONS, len(self._others))):
            connection, _ = self._others.popitem(last=False)
            self._others[connection] = None
            if connection.waits_for_client and (
                slowest is None or connection.heard_s < slowest.heard_s
            ):
                slowest = connection
        return slowest
