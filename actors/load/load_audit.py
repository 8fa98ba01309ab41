"""What has become of the writes: read back over HTTP, compared with what was answered.

Writes that are found by the same question and the same match are judged together. Of them, a were
acknowledged, of u nothing is known, the others were refused; f are found. Where f < a, a - f were
lost; where f > a + u, the rest were done twice, or, if all were refused, a refusal was not kept.
What was acknowledged must also be there as it was answered.
"""

from __future__ import annotations

import asyncio
import math
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

import msgspec

from actors.load.found_things import FoundThings, field_of
from actors.load.load_exchange import LoadExchange
from actors.load.load_ledger import TOO_MANY
from actors.load.load_plan import ANSWER
from actors.load.request_maker import decoded
from actors.load.template import filled, filled_path, names_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from actors.kernel.clock import Clock
    from actors.load.connection_pool import ConnectionPool
    from actors.load.load_ledger import LedgerEntry

# At once: enough to keep a server busy, few enough to overload none.
READERS: Final = 16
# A system that is still recovering is asked again, this often and for so long: most recover within
# a second. Once one question was given up, no other waits again: there may be ten thousand.
RETRY_S: Final = 0.25
PATIENCE_S: Final = 5.0
# Pages of one list: a plan whose match is this wide matches too much.
PAGES_MAX: Final = 1000
OK, NOT_FOUND = 200, 404

Kind = Literal["lost", "doubled", "contradicted", "unread"]


class AuditFinding(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with `count` writes, among those with the Idempotency-Keys `keys`."""

    kind: Kind
    count: int
    request: str
    keys: tuple[str, ...]
    detail: str

    def __str__(self) -> str:
        keys = ", ".join(self.keys[:3]) + (", ..." if self.keys[3:] else "")
        return f"{self.kind}: {self.count} {self.request} ({keys}): {self.detail}"


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an audit saw: `checked` writes of those in the ledger, and what is wrong with them.

    `unreadable_by_plan` are those that its plan has no way to read back. Those that are found
    "unread" were not checked either.
    """

    acknowledged: int
    refused: int
    unknown: int
    checked: int
    unreadable_by_plan: int
    findings: tuple[AuditFinding, ...]

    def count(self, kind: Kind) -> int:
        """Return how many writes are found so."""
        return sum(each.count for each in self.findings if each.kind == kind)


class NoAnswer(Exception):
    """A system does not answer what its writes are read back by."""


class LoadAudit:
    """Reads back what a ledger has, over the listeners' `pools`."""

    def __init__(
        self, pools: Mapping[str, ConnectionPool], hosts: Mapping[str, str], clock: Clock
    ) -> None:
        """`hosts` has each listener's `host:port`."""
        self._pools = pools
        self._hosts = hosts
        self._clock = clock
        self._patience_s = PATIENCE_S
        # When each listener has answered last; and those that did not for longer than that.
        self._answered_s = dict.fromkeys(hosts, -math.inf)
        self._silent: dict[str, str] = {}

    async def audit(self, entries: Sequence[LedgerEntry]) -> AuditReport:
        """Return what is wrong; nothing is asked of the ledger's writes but reads."""
        groups: dict[tuple[str, str, str | None], dict[bytes, list[LedgerEntry]]] = {}
        skipped = 0
        for entry in entries:
            if not _is_readable(entry):
                skipped += 1
                continue
            read = entry.request.read
            assert read is not None, "it is readable"
            value_of = _value_of(entry)
            place = read.listener, filled_path(read.path, value_of), read.items
            match = msgspec.json.encode([entry.request.name, filled(read.match, value_of)])
            groups.setdefault(place, {}).setdefault(match, []).append(entry)
        findings: list[AuditFinding] = []
        unread: dict[tuple[str, str], tuple[str, list[LedgerEntry]]] = {}
        left = iter(groups.items())

        async def reader() -> None:
            for (listener, path, items), matches in left:
                try:
                    found = await self._items(listener, path, items)
                except NoAnswer as error:
                    for entry in chain.from_iterable(matches.values()):
                        alike = unread.setdefault((entry.request.name, str(error)), (path, []))
                        alike[1].append(entry)
                else:
                    things = FoundThings(found)
                    for group in matches.values():
                        findings.extend(_judged(group, things, path))

        await asyncio.gather(*(reader() for _ in range(READERS)))
        for (_, said), (path, alike) in unread.items():
            findings.append(_finding("unread", len(alike), alike, f"GET {path} {said}"))
        standings = [each.standing for each in entries]
        return AuditReport(
            acknowledged=standings.count("acknowledged"),
            refused=standings.count("refused"),
            unknown=standings.count("unknown"),
            checked=len(entries) - skipped - sum(len(alike) for _, alike in unread.values()),
            unreadable_by_plan=skipped,
            findings=tuple(sorted(findings, key=lambda each: (each.kind, each.keys))),
        )

    async def _items(self, listener: str, path: str, items: str | None) -> list[Any]:
        """Return what is there: of a list all pages."""
        found: list[Any] = []
        after = ""
        for _ in range(PAGES_MAX):
            answer = await self._get(listener, path + after)
            if answer is None:
                return found
            if items is None:
                return [answer]
            page = answer if items == "" else field_of(answer, items)
            if not isinstance(page, list):
                raise NoAnswer(f"has no list {items!r}: mend the plan's `items`")
            found += page
            following = answer.get("next") if isinstance(answer, dict) else None
            if following is None:
                return found
            after = f"{'&' if '?' in path else '?'}after={quote(str(following), safe='')}"
        raise NoAnswer(f"has more than {PAGES_MAX} pages: read by something narrower")

    async def _get(self, listener: str, path: str) -> Any:
        """Return an answer's value, or None where there is no such thing. Raises NoAnswer."""
        begun_s = self._clock.monotonic()
        while listener not in self._silent:
            exchange = await self._ask(listener, path)
            if exchange.status == OK:
                return decoded(exchange.body)
            if exchange.status == NOT_FOUND:
                return None
            said = exchange.failure or f"says {exchange.status}"
            if 400 <= exchange.status < 500 and exchange.status != TOO_MANY:  # noqa: PLR2004 - 4xx
                raise NoAnswer(said)  # asking again changes nothing
            took_s = exchange.ended_s - begun_s
            if took_s >= PATIENCE_S and self._answered_s[listener] < begun_s:
                self._silent[listener] = said
            if took_s >= self._patience_s:
                self._patience_s = 0.0
                raise NoAnswer(said)
            await asyncio.sleep(RETRY_S)
        raise NoAnswer(self._silent[listener])

    async def _ask(self, listener: str, path: str) -> LoadExchange:
        text = f"GET {path} HTTP/1.1\r\nHost: {self._hosts[listener]}\r\n\r\n"
        ended: asyncio.Future[LoadExchange] = asyncio.get_running_loop().create_future()

        def end(exchange: LoadExchange) -> None:
            if not ended.done():  # nobody waits for it any more
                ended.set_result(exchange)

        self._pools[listener].send(LoadExchange(text.encode(), self._clock.monotonic(), end))
        exchange = await ended
        if exchange.status:
            self._answered_s[listener] = exchange.ended_s
        return exchange


# --- Judging ---------------------------------------------------------------------------------


def _judged(group: list[LedgerEntry], found: FoundThings, path: str) -> list[AuditFinding]:
    """Judge the writes that one question and match find."""
    read = group[0].request.read
    assert read is not None, "it is readable"
    match = filled(read.match, _value_of(group[0]))
    there = found.matching(match)
    acknowledged = [each for each in group if each.standing == "acknowledged"]
    unknown = [each for each in group if each.standing == "unknown"]
    where = f"GET {path} has {len(there)}" + (f" with {match}" if match else "")
    lost = len(acknowledged) - len(there)
    if lost > 0:
        return [_finding("lost", lost, acknowledged, f"acknowledged, and {where}")]
    findings = []
    more = len(there) - len(acknowledged) - len(unknown)
    if more > 0 and acknowledged + unknown:
        findings.append(_finding("doubled", more, acknowledged + unknown, where))
    elif more > 0:
        findings.append(_finding("contradicted", more, group, f"refused, and {where}"))
    for entry in acknowledged:
        said = filled(read.compared, _value_of(entry))
        if not any(_is_as(each, said) for each in there):
            detail = f"answered as {said}, and read back as {there[:2]}"
            findings.append(_finding("contradicted", 1, [entry], detail))
    return findings


def _is_as(item: Any, said: Mapping[str, Any]) -> bool:
    """Whether it has each field as it was said."""
    return all(field_of(item, name) == value for name, value in said.items())


def _is_readable(entry: LedgerEntry) -> bool:
    """Whether the plan says how; what is found by its answer needs one."""
    read = entry.request.read
    if read is None:
        return False
    asked = any(name.startswith(ANSWER) for name in names_in((read.path, read.match)))
    return not asked or entry.standing == "acknowledged"


def _value_of(entry: LedgerEntry) -> Callable[[str], Any]:
    def value_of(name: str) -> Any:
        if name.startswith(ANSWER):
            return field_of(entry.answer, name.removeprefix(ANSWER))
        return entry.values[name]

    return value_of


def _finding(kind: Kind, count: int, entries: Sequence[LedgerEntry], detail: str) -> AuditFinding:
    return AuditFinding(
        kind=kind,
        count=count,
        request=entries[0].request.name,
        keys=tuple(each.key for each in entries),
        detail=detail,
    )
