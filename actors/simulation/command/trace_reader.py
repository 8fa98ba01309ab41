"""Picks from a trace what a person needs to follow a run, and says it in words."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.faults.fault_kinds import FAULTS
from actors.simulation.command.timeline_entry import AT_REST, mark
from actors.simulation.look.excerpt import excerpt
from actors.simulation.stage.edge_host import EDGE_HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from actors.simulation.command.timeline_entry import Kind, SpanKind, TimelineMark
    from actors.simulation.script.schedule import Schedule, Step
    from actors.simulation.stage.trace import Line

FIELD: Final = re.compile(r"(\w+)=(.*?)(?= \w+=|$)")
HANDLED: Final = " handled"


class TraceReader:
    """Tells the lines of one trace, in their order."""

    def __init__(self, schedule: Schedule, services: Sequence[str]) -> None:
        """`schedule` is what was applied: its steps are the trace's faults, in their order."""
        self._steps = deque((*schedule.steps, *schedule.unended()))
        self._services = tuple(services)
        self._messages: list[Line] = []
        self._process_is_up = False
        self._readers: dict[str, Callable[[Line], Iterable[TimelineMark]]] = {
            "boot": self._boot,
            "client": self._client,
            "commit": self._commit,
            "crash": self._crash,
            "crashed": self._crashed,
            "continue": self._continue,
            "lost": self._lost,
            "fault": self._fault,
            "message": self._message,
            "mishap": self._mishap,
            "refuse": self._refuse,
            "restarted": self._restarted,
            "trouble": self._trouble,
            # What leads to them or what they lead to is told already.
            **dict.fromkeys(
                ("connect", "open", "operation", "resumed", "started", "stopped", "suspended"),
                self._nothing,
            ),
            # What is only compared with another run.
            **dict.fromkeys(("effect", "generators", "query", "script", "table"), self._nothing),
            **dict.fromkeys(("reset", "break", "give up"), self._connection),
        }

    def read(self, lines: Iterable[Line]) -> Iterator[TimelineMark]:
        """Yield what matters."""
        for line in lines:
            yield from self._readers.get(line.kind, self._other)(line)

    # --- Faults, crashes and what ends them --------------------------------------------------

    def _fault(self, line: Line) -> Iterator[TimelineMark]:
        """Every fault is the schedule's next step, but for what a trap brings about."""
        if not self._steps or str(self._steps[0]) != line.text:
            begins: tuple[str, SpanKind] | None = None
            if line.text.startswith("the power"):
                begins = ("process", "down")
            elif line.text.startswith("killed"):
                begins = (line.who, "down")
            yield mark(line.at_us, _lane(line.who), "fault", line.text, begins=begins)
            return
        step = self._steps.popleft()
        ended = [name for name, fault in FAULTS.items() if fault.ended_by == step.fault]
        yield mark(
            line.at_us,
            _lane(line.who),
            "up" if ended else "fault",
            line.text,
            begins=self._begins(step),
            ends=tuple(f"{name} {step.target}" for name in ended),
        )

    def _begins(self, step: Step) -> tuple[str, SpanKind] | None:
        if step.fault in {"crash", "cut_power"}:
            return ("process", "down")
        if step.fault == "pause":
            return ("pause process", "lasts")
        if step.fault in {"kill", "restart"}:
            return (step.target, "down") if self._process_is_up else None
        if FAULTS[step.fault].ended_by is None:
            return None
        return (f"{step.fault} {step.target}", "down" if step.fault == "suspend" else "lasts")

    def _crash(self, line: Line) -> Iterator[TimelineMark]:
        """A handler's crash; the process's is told as the fault that it is."""
        if line.who == EDGE_HOST:
            self._process_is_up = False
        elif line.who != "network":
            self._messages = []
            text = f"a handler raises {line.text}"
            yield mark(line.at_us, line.who, "crash", text, details=line.seen)

    def _crashed(self, line: Line) -> Iterator[TimelineMark]:
        """An incarnation's end, where it was not killed: then that is told."""
        if self._process_is_up and not line.text.startswith("Killed: "):
            text = f"crashes: {line.text}"
            yield mark(line.at_us, line.who, "crash", text, begins=(line.who, "down"))

    def _boot(self, line: Line) -> Iterator[TimelineMark]:
        self._process_is_up = True
        # A suspension is not written down: the next process knows nothing of it.
        ends = (
            "process",
            "pause process",
            *self._services,
            *(f"suspend {name}" for name in self._services),
        )
        yield mark(line.at_us, line.who, "up", f"{line.text} is up", ends=ends)

    def _lost(self, line: Line) -> Iterator[TimelineMark]:
        yield mark(line.at_us, line.who, "fault", f"has lost {line.text}")

    def _continue(self, line: Line) -> Iterator[TimelineMark]:
        yield mark(line.at_us, line.who, "up", "the process runs again", ends=("pause process",))

    def _mishap(self, line: Line) -> Iterator[TimelineMark]:
        yield mark(line.at_us, line.who, "fault", f"{AT_REST}{line.text}")

    def _restarted(self, line: Line) -> Iterator[TimelineMark]:
        yield mark(line.at_us, line.who, "up", "is up again", ends=(line.who,))

    # --- Commits -----------------------------------------------------------------------------

    def _message(self, line: Line) -> Iterable[TimelineMark]:
        self._messages.append(line)
        return ()

    def _commit(self, line: Line) -> Iterator[TimelineMark]:
        messages, self._messages = self._messages, []
        done = [each for each in messages if each.text.endswith(HANDLED)]
        names = [each.text.removesuffix(HANDLED) for each in done]
        if done:
            said = [
                f"{name}: {_exchange(each.data)}" for name, each in zip(names, done, strict=True)
            ]
            text = f"commits {', '.join(names)}"
            yield mark(line.at_us, line.who, "commit", text, details=(*said, *line.seen))
        for each in messages:
            if not each.text.endswith(HANDLED):
                asked, answer = msgspec.json.decode(each.data)
                details = (excerpt(asked),) if asked else ()
                yield mark(
                    line.at_us, line.who, "refusal", each.text + _why(answer), details=details
                )

    # --- Clients and their connections -------------------------------------------------------

    def _client(self, line: Line) -> Iterator[TimelineMark]:
        asked, answer = msgspec.json.decode(line.data) if line.data else (None, None)
        details = [] if asked is None else [f"asked {excerpt(asked)}"]
        details += [] if answer is None else [f"got {excerpt(answer)}"]
        yield mark(line.at_us, line.who, "answer", line.text + _why(answer), details=details)

    def _refuse(self, line: Line) -> Iterable[TimelineMark]:
        if line.who == "network":
            return self._connection(line)
        return [mark(line.at_us, line.who, "refusal", f"writes nothing: {line.text}")]

    def _connection(self, line: Line) -> Iterator[TimelineMark]:
        fields = dict(FIELD.findall(line.text))
        ends = [fields[name] for name in ("to", "at", "source") if name in fields]
        lane = next((end for end in ends if end != EDGE_HOST), EDGE_HOST)
        number = fields.get("connection")
        texts = {
            "reset": f"connection {number} is reset",
            "break": f"connection {number} breaks: {fields.get('cause')}",
            "give up": f"{fields.get('at')} gives connection {number} up",
            "refuse": f"{fields.get('target')} refuses a connection",
        }
        yield mark(line.at_us, lane, "refusal", texts[line.kind])

    # --- The rest ----------------------------------------------------------------------------

    def _trouble(self, line: Line) -> Iterator[TimelineMark]:
        yield mark(line.at_us, EDGE_HOST, "wrong", line.text)

    def _nothing(self, line: Line) -> Iterable[TimelineMark]:
        del line
        return ()

    def _other(self, line: Line) -> Iterator[TimelineMark]:
        kind: Kind = "refusal" if line.kind == "deadlettered" else "crash"
        lane = line.who if line.who not in {"network", "root", ""} else EDGE_HOST
        yield mark(line.at_us, lane, kind, f"{line.kind} {line.text}".rstrip())


def _exchange(data: str) -> str:
    """Return what a message held, and what was replied if anything was."""
    asked, reply = msgspec.json.decode(data)
    return excerpt(asked) if reply is None else f"{excerpt(asked)} -> {excerpt(reply)}"


def _why(answer: Any) -> str:
    """Return the reason that a refusal gives, behind a colon."""
    reason = answer.get("detail") if isinstance(answer, dict) else None
    return "" if reason is None else f": {excerpt(reason)}"


def _lane(target: str) -> str:
    """Return whose lane a target belongs to: `payment.Charge.after`, `client-0<>edge`, `clock`."""
    if target in {"process", "clock", ""}:
        return EDGE_HOST
    ends = [end for end in re.split(r"[<>]+", target) if end != EDGE_HOST]
    return ends[0].partition(".")[0] if ends else EDGE_HOST
