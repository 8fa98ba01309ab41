"""Two pipes and who is at their ends."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Literal

from actors.simulation.net.pipe import Pipe
from actors.simulation.net.simulated_transport import SimulatedTransport

if TYPE_CHECKING:
    from contextvars import Context

    from actors.kernel.rng import Rng
    from actors.simulation.net.medium import Medium
    from actors.simulation.net.simulated_server import SimulatedServer

    Address = tuple[str, int]


class SimulatedConnection:
    """An established connection, from the handshake until both ends have heard of its end."""

    def __init__(
        self,
        medium: Medium,
        number: int,
        *,
        source: str,
        target: str,
        server: SimulatedServer,
        addresses: tuple[Address, Address],
        rng: Rng,
    ) -> None:
        """`addresses` are the client's and the server's, as each other's peer sees them."""
        self.number = number
        self.source = source
        self.target = target
        self.server = server
        self.port = addresses[1][1]
        self._medium = medium
        self._addresses = addresses
        self._pipes = (
            Pipe(
                medium,
                self,
                source,
                target,
                link=medium.link(source, target),
                rng=rng.fork("there"),
            ),
            Pipe(
                medium,
                self,
                target,
                source,
                link=medium.link(target, source),
                rng=rng.fork("back"),
            ),
        )
        self._ends: list[SimulatedTransport] = []
        self._ended = 0

    def begin(self, context: Context) -> SimulatedTransport:
        """Return the client's end; the server's comes to be when the news arrives there."""
        there, _ = self._pipes
        client = self._make_end(0, context)
        there.receiver = _Acceptor(self, self.server.context.copy())
        there.open()
        return client

    def accept(self, context: Context) -> None:
        """Give the server its end, or reset if it does not listen any more."""
        if not self.server.is_serving():
            self._decline()
            return
        try:
            protocol = self.server.make_protocol()
        except Exception as error:  # noqa: BLE001 - as asyncio: one failed accept is not the server's end
            message = {"message": "the server's protocol factory failed", "exception": error}
            self._medium.loop.call_exception_handler(message)
            self._decline()
            return
        end = self._make_end(1, context)
        self.server.attach(end)
        end.attach(protocol)

    def _decline(self) -> None:
        self._pipes[1].reset()
        self._ended += 1  # the server's end is over before it was

    def _make_end(self, side: Literal[0, 1], context: Context) -> SimulatedTransport:
        end = SimulatedTransport(
            self._medium,
            self,
            side,
            outgoing=self._pipes[side],
            incoming=self._pipes[1 - side],
            sockname=self._addresses[side],
            peername=self._addresses[1 - side],
            context=context,
        )
        self._pipes[side].sender = end
        self._pipes[1 - side].receiver = end
        self._ends.append(end)
        return end

    # --- Its end -----------------------------------------------------------------------------

    def break_off(self, cause: str) -> None:
        """Reset both ends now; what is on the way is lost."""
        self._medium.record("break", connection=self.number, cause=cause)
        for pipe in self._pipes:
            pipe.break_off()
        for end in self._ends:
            end.lose(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))
        self._medium.forget(self.number)

    def give_up(self, pipe: Pipe) -> None:
        """End the sender's side, whose bytes were never acknowledged; the other hears nothing."""
        self._medium.record("give up", connection=self.number, at=pipe.source)
        pipe.lose_all()
        if len(self._ends) < len(self._pipes):
            self._ended += 1  # it was never accepted
        for end in list(self._ends):
            if end.outgoing is pipe:
                end.lose(TimeoutError(errno.ETIMEDOUT, "Connection timed out"))

    def crash(self, host: str) -> None:
        """Let the process at `host` be gone: it hears nothing, the other side is reset."""
        for end in self._ends:
            if end.outgoing.source == host:
                end.vanish()

    def vanish(self) -> None:
        """Be over without a word to anybody."""
        for end in list(self._ends):
            end.vanish()

    def ended(self, end: SimulatedTransport) -> None:
        """Count an end that is over; after the second there is nothing to keep."""
        if end.side == 1:
            self.server.detach(end)
        self._ended += 1
        if self._ended == len(self._pipes):
            self._medium.forget(self.number)

    def describe(self) -> str:
        """Return a line that says where its bytes are stuck, if any are."""
        stuck = [
            f"{pipe.waiting_bytes} bytes wait at {pipe.source} for the other side to read"
            for pipe in self._pipes
            if pipe.waiting_bytes
        ]
        name = f"connection {self.number} from {self.source} to {self.target}:{self.port}"
        return f"{name}: {', '.join(stuck) or 'nothing is on its way'}"


class _Acceptor:
    """The end of a pipe at a listener, until the connection is accepted."""

    def __init__(self, connection: SimulatedConnection, context: Context) -> None:
        self.context = context
        self._connection = connection

    def receive(self, kind: str, _data: bytes) -> None:
        """Accept what is opened; what is reset before was never there."""
        if kind == "open":
            self._connection.accept(self.context)
