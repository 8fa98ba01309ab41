"""A server that keeps notes, well or badly, and the plan that asks it; all on virtual time."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from actors.kernel.rng import Rng
from actors.load.drawn_values import DrawnValue
from actors.load.load_plan import LoadPlan, PlannedRequest, ReadBack
from actors.load.load_run import LoadLimits, LoadOutcome, LoadRun
from actors.simulation.net.current_host import on_host
from actors.simulation.net.network import Network
from actors.simulation.time.loop import SimulationLoop
from actors.simulation.time.run import run

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from actors.load.load_phase import LoadPhase

T = TypeVar("T")
PORT = 80
ENDED_S = 2_000.0
PLAN = LoadPlan(
    values={"text": DrawnValue(unique="note ")},
    request=(
        PlannedRequest(
            name="note",
            method="POST",
            path="/notes",
            body={"text": "{text}"},
            read=ReadBack(
                path="/notes?limit=2", items="items", match={"text": "{text}"}, same=("id", "by")
            ),
        ),
    ),
)

NOTE = msgspec.structs.replace(
    PLAN.request[0], read=ReadBack(path="/notes/{answer.id}", same=("id", "text", "by"))
)
BY_ID = msgspec.structs.replace(PLAN, request=(NOTE,))


class Notebook:
    """Answers POST /notes and GET /notes, two a page; a subclass does something wrong."""

    def __init__(self) -> None:
        self.notes: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.asked = 0
        # None once it has left: it hangs up, and takes no connection any more.
        self.listening: asyncio.Server | None = None

    def post(self, text: str) -> tuple[int, Any]:
        """Keep a note."""
        note = {"id": len(self.notes), "text": text, "by": "ada"}
        self.notes.append(note)
        return 201, note

    def page(self, after: int) -> tuple[int, Any]:
        """Return two notes, and where the next ones begin."""
        following = after + 2 if after + 2 < len(self.notes) else None
        return 200, {"items": self.notes[after : after + 2], "next": following}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it ends."""
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                length = re.search(r"Content-Length: (\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                self.asked += 1
                status, answer = self.answer(head, body)
                if status:
                    text = msgspec.json.encode(answer)
                    start = f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n\r\n"
                    writer.write(start.encode() + text)
                if self.listening is None:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def leave(self) -> None:
        """Answer once more."""
        assert self.listening is not None
        self.listening.close()
        self.listening = None

    def answer(self, head: str, body: bytes) -> tuple[int, Any]:
        """Return a status and a value; status 0 answers nothing."""
        if head.startswith("POST "):
            key = re.search(r"Idempotency-Key: (\S+)", head)
            assert key is not None, head
            self.keys.append(key[1])
            return self.post(msgspec.json.decode(body)["text"])
        after = re.search(r"after=(\d+)", head)
        return self.page(int(after[1]) if after else 0)


class ById(Notebook):
    """It answers GET /notes/ID, and knows for how many seconds it was asked that."""

    def __init__(self) -> None:
        super().__init__()
        self.begun_s = self.asked_s = 0.0

    @property
    def read_s(self) -> float:
        """From the first such question to the last."""
        return self.asked_s - self.begun_s

    def answer(self, head: str, body: bytes) -> tuple[int, Any]:
        """As it is asked."""
        if head.startswith("POST "):
            return super().answer(head, body)
        self.asked_s = asyncio.get_running_loop().time()
        self.begun_s = self.begun_s or self.asked_s
        return self.one(int(head.split()[1].removeprefix("/notes/")))

    def one(self, id_: int) -> tuple[int, Any]:
        """Return a note."""
        return 200, self.notes[id_]


def virtually(main: Callable[[SimulationLoop], Coroutine[Any, Any, T]]) -> T:
    """Run it on virtual time, where there are the hosts `client` and `server`."""
    loop = SimulationLoop(seed=1)
    network = Network(loop, seed=1, record=lambda event, /, **fields: None)
    network.add_host("server")
    network.add_host("client")
    found: T = run(main(loop), loop=loop)
    assert loop.unhandled == []
    return found


def loaded(
    server: Notebook,
    *phases: LoadPhase,
    plan: LoadPlan = PLAN,
    limits: LoadLimits | None = None,
    stop_s: float | None = None,
    halts_s: tuple[float, float] | None = None,
) -> LoadOutcome:
    """Return what comes of a load on the server, which is stopped after `stop_s`.

    The client's machine halts from one of `halts_s` until the other.
    """

    async def main(loop: SimulationLoop) -> LoadOutcome:
        with on_host("server"):
            listening = await asyncio.start_server(server.serve, "server", PORT)
        server.listening = listening
        if halts_s is not None:
            loop.call_later(halts_s[0], loop.pause, "client")
            loop.call_later(halts_s[1], loop.go_on, "client")
        with on_host("client"):
            load = LoadRun(
                plan,
                {"gateway": f"http://server:{PORT}"},
                clock=loop.clock,
                rng=Rng(1),
                limits=limits,
            )
            if stop_s is not None:
                loop.call_later(stop_s, load.stop)
            outcome = await load.run(phases)
        listening.close()
        await asyncio.sleep(ENDED_S)  # what the server still takes its time for
        return outcome

    return virtually(main)


def kinds(outcome: LoadOutcome) -> Sequence[tuple[str, int]]:
    """Return what an audit found: each kind, and how many writes it is about."""
    assert outcome.audit is not None
    return [(each.kind, each.count) for each in outcome.audit.findings]
