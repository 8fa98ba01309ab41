"""Makes requests of a plan: draws their values, fills their texts, and notes the writes."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.load.drawn_values import Draws
from actors.load.load_plan import ANSWER
from actors.load.template import filled, filled_path, names_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actors.kernel.rng import Rng
    from actors.load.load_ledger import LedgerEntry, LoadLedger
    from actors.load.load_plan import LoadPlan, PlannedRequest

KEY_HEADER: Final = "Idempotency-Key"


class MadeRequest(msgspec.Struct, kw_only=True):
    """A request's bytes; of a write, its entry in the ledger."""

    request: PlannedRequest
    data: bytes
    entry: LedgerEntry | None = None


class RequestMaker:
    """What is drawn comes from the `rng`; `run_id` is what no other run has."""

    def __init__(
        self, plan: LoadPlan, hosts: Mapping[str, str], ledger: LoadLedger, rng: Rng, run_id: str
    ) -> None:
        """`hosts` has each listener's `host:port`."""
        self._plan = plan
        self._hosts = hosts
        self._ledger = ledger
        self._rng = rng
        self._run_id = run_id
        self._made = 0
        self._requests = plan.by_name
        drawn = [each for each in plan.request if each.weight]
        self._drawn = drawn
        self._weights = [each.weight for each in drawn]
        # What was answered, as far as values are drawn from it: by "room.id".
        self._answers: dict[str, list[Any]] = defaultdict(list)
        sources = [each.answered for each in plan.values.values() if each.answered is not None]
        self._sources = {
            name: [each for each in dict.fromkeys(sources) if each.partition(".")[0] == name]
            for name in self._requests
        }
        self._read_names = {each.name: _read_names(each) for each in plan.request}

    def choose(self, name: str | None = None) -> PlannedRequest:
        """Return the request of that name, or one by the weights."""
        if name is None:
            return self._rng.choices(self._drawn, self._weights)[0]
        return self._requests[name]

    def make(self, request: PlannedRequest) -> MadeRequest:
        """Make one. Raises LoadError."""
        self._made += 1
        unique = f"{self._run_id}-{self._made}"
        draws = Draws(self._plan.values, self._rng, unique=unique, answers=self._answers_of)
        path = filled_path(request.path, draws.__getitem__)
        headers = filled(request.headers, draws.__getitem__)
        lines = [f"{request.method} {path} HTTP/1.1", f"Host: {self._hosts[request.listener]}"]
        lines += [f"{field}: {value}" for field, value in headers.items()]
        body = b""
        if request.body is not None:
            body = msgspec.json.encode(filled(request.body, draws.__getitem__))
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        entry = None
        if request.writes:
            lines.append(f"{KEY_HEADER}: {unique}")
            values = {each: draws[each] for each in self._read_names[request.name]}
            entry = self._ledger.enter(request, unique, values)
        data = "\r\n".join([*lines, "", ""]).encode() + body
        return MadeRequest(request=request, data=data, entry=entry)

    def learn(self, made: MadeRequest, status: int, body: bytes) -> None:
        """Take an answer: into the ledger, and into what later requests draw from."""
        sources = self._sources[made.request.name]
        if made.entry is None and not sources:
            return
        answer = decoded(body)
        if made.entry is not None:
            made.entry.status, made.entry.answer = status, answer
        if 200 <= status < 300 and isinstance(answer, dict):  # noqa: PLR2004 - 2xx
            for source in sources:
                field = source.partition(".")[2]
                if field in answer:
                    self._answers[source].append(answer[field])

    def _answers_of(self, whose: str) -> Sequence[Any]:
        return self._answers[whose]


def decoded(body: bytes) -> Any:
    """Return the value of a JSON text, or the text itself."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body.decode("utf-8", "replace")


def _read_names(request: PlannedRequest) -> list[str]:
    if request.read is None:
        return []
    read = (request.read.path, request.read.match, request.read.compared)
    return [name for name in dict.fromkeys(names_in(read)) if not name.startswith(ANSWER)]
