"""Writes what was counted as text for Prometheus, by Prometheus' own library."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from http_edge.metrics.edge_families import edge_families
from http_edge.metrics.system_families import system_families

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from actors.measures.measured import Measured
    from http_edge.metrics.edge_counts import EdgeCounts

OPENMETRICS: Final = "application/openmetrics-text"
# That it is written in; who names none takes it.
VERSION: Final = "version=1.0.0"
# Some 2 ms; the largest family takes twice that. After each of 43 families, a scrape beside 400
# clients took 0.7 s on a busy machine, and so 0.4.
UNBROKEN_BYTES: Final = 16_384
# The last line of OpenMetrics, and of nothing else.
END: Final = b"# EOF\n"


class _Alone(Collector):
    """A registry of one family."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> list[Metric]:
        return [self._family]


class Exposition:
    """One edge's and its system's; what is the process's is looked up in a registry of its own."""

    def __init__(self, counts: EdgeCounts) -> None:
        """Of a simulated process nothing is told but what it has counted itself."""
        self._counts = counts
        # One at a time: a hundred together would each have their part in the same pass of the loop.
        self._writing = asyncio.Lock()
        self._process = CollectorRegistry()
        if counts.loop_lag is not None:
            ProcessCollector(registry=self._process)
            GCCollector(registry=self._process)
            PlatformCollector(registry=self._process)

    async def write(self, measured: Measured, accept: str) -> tuple[str, bytes]:
        """Return the content type that an Accept header's value asks for, and the text.

        All of it takes some 20 ms: in between, others have their turn. As few of these as need be,
        for on a busy loop each takes as long as what all others do in it.
        """
        is_open = any(_is_openmetrics(each) for each in accept.split(","))
        write = openmetrics.generate_latest if is_open else generate_latest
        parts, unbroken = [], 0
        async with self._writing:
            for family in self._families(measured):
                if unbroken > UNBROKEN_BYTES:
                    unbroken = 0
                    await asyncio.sleep(0)
                parts.append(write(_Alone(family)))
                unbroken += len(parts[-1])
        text = b"".join(part.removesuffix(END) for part in parts)
        if is_open:
            return openmetrics.CONTENT_TYPE_LATEST, text + END
        return CONTENT_TYPE_PLAIN_0_0_4, text

    def _families(self, measured: Measured) -> Iterator[Metric]:
        yield from edge_families(self._counts)
        yield from system_families(measured, self._counts.asks)
        yield from self._process.collect()


def _is_openmetrics(accepted: str) -> bool:
    # The library's own choice would say of a text any version that it was asked for.
    media_type, *parameters = (each.strip() for each in accepted.split(";"))
    versions = {each for each in parameters if each.startswith("version=")}
    return media_type == OPENMETRICS and versions <= {VERSION}
