"""What a load must show to pass: a CI's figures, judged over all phases together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from actors.load.load_figures import Latencies, LoadFigures


class LoadTargets(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that corrected percentiles may have, and shares from 0 to 1; None judges nothing."""

    p50: float | None = None
    p99: float | None = None
    p999: float | None = None
    errors: float | None = None
    late: float | None = None

    def missed(self, figures: LoadFigures, corrected: Latencies) -> list[str]:
        """Return each target that is not met, with what was measured instead.

        Without a word one is always to be met: that something is sent, and goes well.
        """
        lines = []
        if not figures.planned:
            lines.append("nothing was sent: take a higher rate, or a longer time with --for")
        elif not figures.well:
            lines.append("nothing went well: look into the system's log, or mend --url or the plan")
        for name, target, percentile in (
            ("p50", self.p50, 50.0),
            ("p99", self.p99, 99.0),
            ("p99.9", self.p999, 99.9),
        ):
            if target is None:
                continue
            if not len(corrected):
                lines.append(f"{name} was to be {target:g} s at most: nothing went well")
            elif corrected.at(percentile) > target:
                lines.append(
                    f"{name} was to be {target:g} s at most: it is {corrected.at(percentile):.4g} s"
                )
        for name, target, share in (
            ("errors", self.errors, figures.failed_share),
            ("late sends", self.late, figures.late_share),
        ):
            if target is not None and share > target:
                lines.append(f"{name} were to be {target:g} at most: they are {share:.4g}")
        return lines
