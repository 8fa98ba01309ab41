"""aiohttp reads this machine's certificates when imported: here, once somebody needs them."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class LateContext(ssl.SSLContext):
    """A context that reads the certificates when it first has a connection, or is asked for them.

    Then it is what it would have been. That takes some 40 ms, once a process: two contexts that
    read them at every start, for whoever speaks TLS or not, were a sixth of it.
    """

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        """Begin a connection of the loop's."""
        return self._read().wrap_bio(*arguments, **options)

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        """Begin one of a thread's."""
        return self._read().wrap_socket(*arguments, **options)

    def cert_store_stats(self) -> dict[str, int]:
        """Say how many there are."""
        return self._read().cert_store_stats()

    def get_ca_certs(self, *arguments: Any, **options: Any) -> Any:
        """Return those that there are."""
        return self._read().get_ca_certs(*arguments, **options)

    def _read(self) -> ssl.SSLContext:
        self.set_default_verify_paths()
        self.__class__ = ssl.SSLContext  # type: ignore[assignment]
        return self


@contextmanager
def late_certificates() -> Iterator[None]:
    """What reads the default certificates within, as aiohttp does when imported, does so later."""

    def put_off(context: ssl.SSLContext) -> None:
        context.__class__ = LateContext

    ssl.SSLContext.set_default_verify_paths = put_off  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        del ssl.SSLContext.set_default_verify_paths
