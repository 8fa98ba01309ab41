"""Who asks one address again and again while others load the system, and how long he waits."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Self

from tests.benchmarks.client import Client

if TYPE_CHECKING:
    from collections.abc import Sequence

PAUSE_S: Final = 0.005


class Onlooker:
    """Asks each of the paths in turn, on a connection of its own, until it is closed."""

    def __init__(self, url: str, paths: Sequence[str], *, token: str | None = None) -> None:
        """`took_s` has what each answer took, in seconds, by path."""
        self.took_s: dict[str, list[float]] = {path: [] for path in paths}
        self._client = Client(url, token)
        self._over = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._client.close()
        if self._failed is not None:
            raise self._failed

    def _look(self) -> None:
        try:
            while not self._over.is_set():
                for path, took_s in self.took_s.items():
                    began_s = time.perf_counter()
                    self._client.request("GET", path, 200)
                    took_s.append(time.perf_counter() - began_s)
                    time.sleep(PAUSE_S)
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            self._failed = error
