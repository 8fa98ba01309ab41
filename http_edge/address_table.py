"""Static addresses are found in one dictionary look-up; the others by walking their segments.

aiohttp's router decodes before it splits, so that `%2F` in a segment is lost, and it costs more
than the rest of a request's way through the edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from http_edge.problems import Kind, ProblemError
from http_edge.target import decode_part, split_target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from http_edge.address import HttpHandler


class AddressMatch(NamedTuple):
    """An address's handlers by method, its decoded path parameters, and the raw query."""

    methods: Mapping[str, HttpHandler]
    params: dict[str, str]
    query: str


class _Node:
    """One segment. A literal child wins over a parameter; there is no way back up."""

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.param: tuple[str, _Node] | None = None
        self.rest: str | None = None
        self.methods: dict[str, HttpHandler] = {}

    def child(self, segment: str) -> _Node:
        """Return the node for `segment` of a template, making it where there is none."""
        if not segment.startswith("{"):
            return self.literals.setdefault(segment, _Node())
        name = segment.strip("{*}")
        if self.param is None:
            self.param = (name, _Node())
        if self.param[0] != name:
            message = f"another row calls the same segment {{{self.param[0]}}}, and not {{{name}}}"
            raise ValueError(message)
        if segment.endswith("*}"):
            self.rest = name
        return self.param[1]


class AddressTable:
    """Each address with what answers there; see `Address` for how a path is written."""

    def __init__(self, *, heads: bool = True) -> None:
        """With `heads`, what answers GET answers HEAD as well."""
        self.static: dict[str, AddressMatch] = {}
        self.methods: set[str] = set()
        self._heads = heads
        self._root = _Node()

    def add(self, method: str, template: str, handler: HttpHandler) -> None:
        """Raise ValueError where it contradicts what was added before."""
        node = self._root
        for segment in template[1:].split("/"):
            node = node.child(segment)
        if method in node.methods:
            message = "two rows are for one address: keep one"
            raise ValueError(message)
        node.methods[method] = handler
        if method == "GET" and self._heads:
            node.methods["HEAD"] = handler
        self.methods.update(node.methods)
        if "{" not in template:
            self.static[template] = AddressMatch(node.methods, {}, "")

    def match(self, target: str) -> AddressMatch:
        """Return what is at the raw target `target`, or raise a 404, or a 400 for a bad escape."""
        path, query = split_target(target)
        if not path.startswith("/"):
            raise _nothing_at(path)
        node = self._root
        params: dict[str, str] = {}
        segments = path[1:].split("/")
        for index, segment in enumerate(segments):
            field = None if node.param is None else node.param[0]
            text = decode_part(segment, field=field)
            literal = node.literals.get(text)
            if literal is not None:
                node = literal
                continue
            if node.param is None:
                raise _nothing_at(path)
            rest, (name, node) = node.rest, node.param
            if rest is not None:
                params[rest] = decode_part("/".join(segments[index:]), field=rest)
                break
            params[name] = text
        if not node.methods:
            raise _nothing_at(path)
        return AddressMatch(node.methods, params, query)


def _nothing_at(path: str) -> ProblemError:
    return ProblemError(Kind.NO_SUCH_PATH, f"nothing is served at {path}")
