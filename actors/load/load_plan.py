"""What is asked of a system, how often, and how its writes are read back: as TOML, or in Python."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from actors.load.drawn_values import DrawnValue  # noqa: TC001 - msgspec reads it
from actors.load.errors import LoadError
from actors.load.template import names_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GATEWAY: Final = "gateway"
# A field of a request's own answer, in what reads it back.
ANSWER: Final = "answer."
SAFE_METHODS: Final = ("GET", "HEAD")

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


class ReadBack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an audit finds what a write has left.

    `path` answers with one thing, or 404; or, where `items` names a field (or is empty: the answer
    is the list itself), with a list of things, of which those are meant that have each field of
    `match`; one of several values where it is a list. A `next` in it is followed by `?after=`.
    Of what was acknowledged each field of `same` must be there as it says; as a list of names it is
    what was answered in them. Texts may hold `{name}`s and the fields of the answer: `{answer.id}`.
    """

    path: str
    listener: str = GATEWAY
    items: str | None = None
    match: dict[str, Any] = {}
    same: dict[str, Any] | tuple[str, ...] = ()

    @property
    def compared(self) -> dict[str, Any]:
        """The fields of `same`, each with its template."""
        if isinstance(self.same, dict):
            return self.same
        return {name: f"{{{ANSWER}{name}}}" for name in self.same}


class PlannedRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of request. Its path, headers and body may hold `{name}`s of the plan's values.

    `weight` is how often it is sent, beside the others'; 0 is for what only a set-up sends.
    What is answered with one of `expect`, else with any 2xx, went well.
    """

    name: str
    path: str
    method: Method = "GET"
    listener: str = GATEWAY
    headers: dict[str, str] = {}
    body: Any = None  # sent as JSON
    weight: float = 1.0
    expect: tuple[int, ...] = ()
    # Whether it changes something; without a word, what is no GET or HEAD.
    write: bool | None = None
    read: ReadBack | None = None

    def __post_init__(self) -> None:
        """Raise ValueError where it can be no request."""
        if not self.path.startswith("/"):
            raise ValueError(f"{self.name}: its path {self.path!r} must begin with /")
        if not self.name.replace("_", "").isalnum():
            raise ValueError(f"{self.name!r} can be no request's name: take letters, digits and _")
        if self.path.split() != [self.path]:
            raise ValueError(f"{self.name}: its path {self.path!r} has a blank: write %20 for it")
        for text in (*self.headers, *self.headers.values()):
            if "\r" in text or "\n" in text:
                raise ValueError(f"{self.name}: its header {text!r} has a line break: leave it out")
        if not 0 <= self.weight < math.inf:
            raise ValueError(f"{self.name}: its weight must be a number from 0 on, and finite")
        if self.read is not None and not self.writes:
            raise ValueError(f"{self.name} is read back and changes nothing: say write = true")

    @property
    def writes(self) -> bool:
        """Whether it changes something: then it has an Idempotency-Key and a ledger entry."""
        return self.method not in SAFE_METHODS if self.write is None else self.write

    def went_well(self, status: int) -> bool:
        """Whether that is an answer it may have."""
        return status in self.expect if self.expect else 200 <= status < 300  # noqa: PLR2004 - 2xx


class SetUp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests that are sent before anything is measured, so that others find something."""

    request: str
    count: int = 1

    def __post_init__(self) -> None:
        """Raise ValueError where there is nothing to do."""
        if self.count < 1:
            raise ValueError(f"set up at least one {self.request}")


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `System(load=...)` returns, or a TOML file says."""

    request: tuple[PlannedRequest, ...]
    values: dict[str, DrawnValue] = {}
    setup: tuple[SetUp, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError where something names what is not there."""
        doubled = [
            name for name, times in Counter(each.name for each in self.request).items() if times > 1
        ]
        if doubled:
            raise ValueError(f"two requests are called {doubled[0]!r}: give each its own name")
        if not any(each.weight for each in self.request):
            raise ValueError("no request has a weight: nothing would be sent")
        requests = {each.name for each in self.request}
        for name, where in self._named_requests():
            if name not in requests:
                raise ValueError(
                    f"{where} names a request {name!r}: there are {', '.join(sorted(requests))}"
                )
        for name, where in self._named_values():
            if name not in self.values:
                known = ", ".join(sorted(self.values)) or "none yet"
                raise ValueError(
                    f"{where} has {{{name}}}, which is no value: give it a line in [values]; there "
                    f"are {known}"
                )
        for name in self.values:
            self._check_order(name)

    def _check_order(self, name: str) -> None:
        """Raise ValueError where a value is so many days after itself."""
        seen = {name}
        after = self.values[name].after
        while after is not None:
            if after in seen:
                raise ValueError(f"value {name} is after itself: let one of them be a date")
            seen.add(after)
            after = self.values[after].after

    def _named_requests(self) -> Iterator[tuple[str, str]]:
        yield from ((each.request, "setup") for each in self.setup)
        for name, value in self.values.items():
            if value.answered is not None:
                yield value.answered.partition(".")[0], f"value {name}"

    def _named_values(self) -> Iterator[tuple[str, str]]:
        for each in self.request:
            sent = (each.path, each.headers, each.body)
            yield from ((name, each.name) for name in names_in(sent))
            if each.read is not None:
                read = (each.read.path, each.read.match, each.read.compared)
                names = (name for name in names_in(read) if not name.startswith(ANSWER))
                yield from ((name, f"{each.name}.read") for name in names)
        for name, value in self.values.items():
            if value.after is not None:
                yield value.after, f"value {name}"

    @property
    def by_name(self) -> dict[str, PlannedRequest]:
        """Its requests by their names."""
        return {each.name: each for each in self.request}

    @property
    def listeners(self) -> set[str]:
        """Where it asks."""
        reads = {each.read.listener for each in self.request if each.read is not None}
        return {each.listener for each in self.request} | reads


def read_plan(path: Path) -> LoadPlan:
    """Read a plan from TOML. Raises LoadError, which says where it is wrong."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=LoadPlan)
    except OSError as error:
        message = f"the plan {path} cannot be read: {error.strerror}; name a file that is there"
        raise LoadError(message) from error
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LoadError(f"the plan {path}: {error}; docs/LOAD.md has one to compare") from error
