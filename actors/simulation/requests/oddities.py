"""Requests as no careful client makes them, each with the answer that it is to get.

They are made of a request that was answered: the same address, but another method; the same body,
but cut short. What stands in the contract for them holds at every address, so that no scenario has
to know of them, and none of them has an effect.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actors.config import EdgeConfig
    from actors.kernel.rng import Rng

API: Final = "/api/v1/"
BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})
KEY: Final = "Idempotency-Key"
TIMEOUT: Final = "X-Request-Timeout"
# For how long who is in a hurry waits; and what is no time to wait.
HURRIES: Final = ("0.05", "0.5")
NO_HURRIES: Final = ("0", "0.000", "-1", "soon", "1e3", "nan", "0.5 s", "")
FIELD: Final = "an_odd_field"
INNER: Final = re.compile(r"[.\[]")
LIMIT: Final = re.compile(r"\blimit=\d+")
# Longer than any address reads, whatever its fields allow.
HUGE_BYTES: Final = 1_000_000_000
# More than a row of SQLite's has bits for; more levels than any body has.
HUGE_NUMBER: Final = 10**30
LEVELS: Final = 3_000
DEEP: Final = b"[" * 250 + b"]" * 250
# What makes no sense is one or the other, by how far it was read.
NO: Final = frozenset({400, 422})
# What a listener that has no room, or no time, says to anything.
OVERLOAD: Final = frozenset({503, 504})
# What is there in every system: at /readyz not everything may be up.
OWN_ADDRESSES: Final = (("/healthz", {200}), ("/readyz", {200, 503}))
ADMIN_ADDRESSES: Final = (
    "/admin/actors",
    "/admin/registry",
    "/admin/dead-letters",
    "/admin/dead-letters?limit=1",
)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it was made; `status` is that of its answer, `is_list` whether that has pages.

    `port` is None at the gateway; `blamed` is which of its fields the answer has named as wrong.
    """

    method: str
    path: str
    body: Any
    headers: dict[str, str]
    port: int | None
    status: int
    is_list: bool = False
    blamed: str = ""


class Oddity(msgspec.Struct, frozen=True, kw_only=True):
    """A request, and which answers it may get; `kind` and `field` are those of their problem.

    What it was made of may have been wrong already: then `blamed`, its field, may be named instead.
    """

    name: str
    method: str
    path: str
    statuses: frozenset[int]
    kind: str = ""
    field: str = ""
    blamed: str = ""
    headers: dict[str, str] = {}
    data: bytes | None = None

    def amiss(self, status: int, body: Any) -> str | None:
        """Return what is wrong with an answer, if anything is."""
        if status in OVERLOAD:
            return None
        said = body if isinstance(body, dict) else {}
        kind = str(said.get("type", "")).rpartition("/")[2]
        if status not in self.statuses or (self.kind and kind != self.kind):
            return f"{self.name} was answered {status} {body!r}"
        field = str(said.get("field"))
        if self.field and INNER.split(field)[0] != self.field and field != (self.blamed or None):
            return f"{self.name} is blamed on {field}, and not on {self.field}"
        return None


def oddities(
    asked: Asked | None, config: EdgeConfig, token: str
) -> tuple[list[Oddity], list[Oddity]]:
    """Return what can be asked always, or at any address, and what is of this one's kind."""
    general, apt = list(_always(token)), list[Oddity]()
    if asked is not None and asked.port is None and asked.path.startswith(API):
        general += _of_any(asked)
        if asked.method in BODY_METHODS:
            apt += _of_a_body(asked)
        if asked.method == "GET":
            apt += _of_a_read(asked, config)
        else:
            apt += _of_a_write(asked)
        if asked.blamed:
            blamed = asked.blamed
            apt = [msgspec.structs.replace(each, blamed=blamed) for each in apt]
            general = [msgspec.structs.replace(each, blamed=blamed) for each in general]
    return general, apt


def one_of(rng: Rng, odd: Sequence[Oddity]) -> Oddity:
    """Choose one, each kind as likely as any other, however many fields there are for it."""
    kinds: dict[str, list[Oddity]] = {}
    for each in odd:
        kinds.setdefault(each.name.partition(" (")[0], []).append(each)
    return rng.choice(rng.choice([*kinds.values()]))


def _always(token: str) -> Iterator[Oddity]:
    for path, statuses in OWN_ADDRESSES:
        yield Oddity(name="a probe", method="GET", path=path, statuses=frozenset(statuses))
    operator = {"Authorization": f"Bearer {token}"}
    for path in ADMIN_ADDRESSES:
        ok = frozenset({200})
        yield Oddity(name="a look", method="GET", path=path, statuses=ok, headers=operator)
    for headers in ({}, {"Authorization": "Bearer nobody-s"}, {"Authorization": f"Basic {token}"}):
        yield _refused("no operator", "GET", "/admin/actors", 401, "unauthorized", headers=headers)
    nobody = "/admin/actors/nobody-s/resume"
    yield _refused("a stranger", "POST", nobody, 404, "no-such-actor", headers=operator)


def _of_any(asked: Asked) -> Iterator[Oddity]:
    """What holds at every address."""
    method, path = asked.method, asked.path
    bare = path.partition("?")[0]
    yield _refused("another method", "PROPFIND", path, 405, "method-not-allowed")
    yield _refused("a question of methods", "OPTIONS", path, 405, "method-not-allowed")
    yield _refused("no address", method, f"{bare}/no/such", 404, "no-such-path")
    yield _refused("a bad escape", method, f"{bare}/%zz", 400, "malformed-url")
    elsewhere = {"Host": "elsewhere.example"}
    yield _refused("another host", method, path, 421, "misdirected", headers=elsewhere)
    data = _data(asked.body) if method in BODY_METHODS else None
    for value in NO_HURRIES:
        headers = {TIMEOUT: value}
        yield _refused(
            "no hurry", method, path, 422, "invalid", headers=headers, data=data, field=TIMEOUT
        )


def _of_a_read(asked: Asked, config: EdgeConfig) -> Iterator[Oddity]:
    path = asked.path
    mark = "&" if "?" in path else "?"
    statuses = frozenset({asked.status, 200, 404})
    yield Oddity(name="only the head", method="HEAD", path=path, statuses=statuses)
    for timeout in HURRIES:
        headers = {TIMEOUT: timeout}
        yield Oddity(name="a hurry", method="GET", path=path, statuses=statuses, headers=headers)
    yield _refused("a body", "GET", path, 422, "unread-body", data=b'{"a": 1}')
    yield _refused("more", "GET", f"{path}{mark}{FIELD}=1", 422, "invalid", field=FIELD)
    for name, _ in parse_qsl(path.partition("?")[2]):
        control = re.sub(rf"\b{name}=[^&]*", f"{name}=%00", path)
        yield _refused("a NUL", "GET", control, 422, "invalid", field=name)
    if asked.is_list:
        if not LIMIT.search(path):
            path = f"{path}{mark}limit=1"
        most = config.page_items_max
        for limit in ("0", str(most + 1), "many"):
            target = LIMIT.sub(f"limit={limit}", path)
            yield _refused("a page", "GET", target, 422, "invalid", field="limit")
        whole = LIMIT.sub(f"limit={most}", path)
        yield Oddity(
            name=f"the longest page (GET {whole})",
            method="GET",
            path=whole,
            statuses=frozenset({asked.status, 200}),
        )
        yield _refused("two limits", "GET", f"{path}&limit=1", 422, "invalid", field="limit")


def _of_a_write(asked: Asked) -> Iterator[Oddity]:
    method, path, data = asked.method, asked.path, _data(asked.body)
    for name, value in (("Origin", "https://elsewhere.example"), ("Sec-Fetch-Site", "cross-site")):
        yield _refused(
            "a page",
            method,
            path,
            403,
            "cross-origin",
            headers={name: value},
            data=data,
            field=name,
        )
    for key in ("two words", "k" * 256):
        headers = {KEY: key}
        yield _refused(
            "no key", method, path, 422, "invalid", headers=headers, data=data, field=KEY
        )


def _of_a_body(asked: Asked) -> Iterator[Oddity]:
    method, path, body = asked.method, asked.path, asked.body
    data = _data(body) or b"{}"
    yield _refused("half a body", method, path, 400, "malformed-json", data=data[:-1])
    yield _refused("no text", method, path, 400, "malformed-json", data=b'{"a": "\xff"}')
    length = {"Content-Length": str(HUGE_BYTES)}
    yield _refused("a huge body", method, path, 413, "body-too-large", headers=length, data=data)
    coding = {"Content-Encoding": "gzip"}
    yield _refused(
        "a packed body", method, path, 415, "unsupported-media-type", headers=coding, data=data
    )
    yield _refused("a query", method, f"{path}?{FIELD}=1", 422, "invalid", field=FIELD, data=data)
    yield _refused("a list", method, path, 422, "invalid", data=b"[]")
    if isinstance(body, dict):
        more = _data({**body, FIELD: 1})
        yield _refused("another field", method, path, 422, "invalid", field=FIELD, data=more)
        yield from _of_a_name(asked, body)
        for name, value in body.items():
            odd = _data({**body, name: [{}]})
            yield _refused("another type", method, path, 422, "invalid", field=name, data=odd)
            within = msgspec.json.encode(value)[:-1] if isinstance(value, dict) else b""
            deeper = b'%b%b"deep":%b}' % (within, b"," * bool(value), DEEP) if within else DEEP
            deep = msgspec.json.encode(body)[:-1] + b',"%b":%b}' % (name.encode(), deeper)
            yield Oddity(
                name=f"a deep field ({name})",
                method=method,
                path=path,
                statuses=NO,
                data=deep,
            )
            for what, wrong in _no_values(value):
                bad = _data({**body, name: wrong})
                yield _refused(what, method, path, 422, "invalid", field=name, data=bad)
        deep = b"[" * LEVELS + b"]" * LEVELS
        yield _refused("a deep body", method, path, 400, "malformed-json", data=deep)
        yield from _of_a_used_key(asked, body)


def _of_a_name(asked: Asked, body: dict[str, Any]) -> Iterator[Oddity]:
    """What the address of a thing names stands in no body: of `/things/7`, its `thing_id`."""
    things, _, thing = asked.path.partition("?")[0].removeprefix(API).partition("/")
    if thing and "/" not in thing:
        name = f"{things.removesuffix('s')}_id"
        for value in (thing, f"{thing}x"):
            data = _data({**body, name: value})
            yield _refused(
                "a name", asked.method, asked.path, 422, "invalid", field=name, data=data
            )


def _no_values(value: Any) -> Iterator[tuple[str, Any]]:
    """What is of the right type, and is no character, or no number that anybody can keep."""
    if isinstance(value, str):
        yield "a NUL", f"{value}\0"
        yield "half a character", f"{value}\ud800"
    elif isinstance(value, int):
        yield "a huge number", HUGE_NUMBER
    elif isinstance(value, dict):
        for name, within in value.items():
            for what, wrong in _no_values(within):
                yield what, {**value, name: wrong}
    elif isinstance(value, list):
        for index, within in enumerate(value):
            for what, wrong in _no_values(within):
                yield what, [*value[:index], wrong, *value[index + 1 :]]


def _of_a_used_key(asked: Asked, body: dict[str, Any]) -> Iterator[Oddity]:
    """What had its effect has used its key up: it is of no use for anything else."""
    texts = [name for name, value in body.items() if isinstance(value, str)]
    if KEY in asked.headers and asked.status in {200, 201} and texts:
        data = _data({**body, texts[-1]: f"{body[texts[-1]]} x"})
        yield _refused(
            "a used key", asked.method, asked.path, 422, "invalid", headers=asked.headers, data=data
        )


def _refused(
    name: str,
    method: str,
    path: str,
    status: int,
    kind: str,
    *,
    field: str = "",
    headers: dict[str, str] | None = None,
    data: bytes | None = None,
) -> Oddity:
    return Oddity(
        name=f"{name} ({method} {path})",
        method=method,
        path=path,
        statuses=frozenset({status}),
        kind=kind,
        field=field,
        headers=headers or {},
        data=data,
    )


def _data(body: Any) -> bytes | None:
    return None if body is None else json.dumps(body).encode()
