"""A scrape, as Prometheus' own parser reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.openmetrics import parser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client.core import Metric

    from tests.http_edge.serving import Reply

# It has no types.
parse: Callable[[str], Iterable[Metric]] = parser.text_string_to_metric_families

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Scraped:
    """Its samples; their names without the prefix that is ours."""

    def __init__(self, reply: Reply) -> None:
        assert reply.status == 200, (reply.status, reply.body[:500])
        assert reply.headers["Content-Type"].startswith("application/openmetrics-text")
        self.families = list(parse(reply.body.decode()))
        self.samples = [each for family in self.families for each in family.samples]
        self.names = {each.name for each in self.samples}

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of the samples that have these labels, among others."""
        wanted = labels.items()
        found = [
            float(each.value)
            for each in self.samples
            if each.name == f"dress_rehearsal_{name}" and wanted <= each.labels.items()
        ]
        assert found, (name, labels, sorted(self.names))
        return sum(found)

    def by(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """Return the values above 0 by one label."""
        found: dict[str, float] = {}
        for each in self.samples:
            if each.name == f"dress_rehearsal_{name}" and labels.items() <= each.labels.items():
                key = each.labels[label]
                found[key] = found.get(key, 0.0) + each.value
        return {key: value for key, value in found.items() if value}
