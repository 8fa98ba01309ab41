"""An endpoint around another: it says of itself what that one says, and answers otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from http_edge.address import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from http_edge.served_system import Handling


@dataclass(frozen=True, slots=True)
class WrappingEndpoint(Endpoint):
    """What is said of `inner`; a subclass binds it."""

    inner: Endpoint

    @property
    def writes(self) -> bool:
        return self.inner.writes

    @property
    def asked(self) -> str | None:
        return self.inner.asked

    @property
    def admitted_as(self) -> str | None:
        return self.inner.admitted_as

    def describe(self) -> str:
        return self.inner.describe()

    def faults(self, path: str, system: Handling) -> Iterator[str]:
        yield from self.inner.faults(path, system)
