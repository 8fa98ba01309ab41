"""What is said of a load: to people on a terminal, a line a phase elsewhere, and to machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.load.load_audit import AuditReport
    from actors.load.load_figures import Latencies, LoadFigures
    from actors.load.load_run import LoadOutcome
    from actors.load.load_sender import PhaseResult

# Beyond this share of late sends the figures are the generator's own, at least in part.
LATE_SHARE_MAX: Final = 0.01
FINDINGS_TOLD: Final = 20


def phase_line(result: PhaseResult) -> str:
    """Return all of a phase in one line."""
    total = result.total
    corrected = total.corrected(result.interval_s)
    took_s = (result.ended_s or result.began_s) - result.began_s
    return (
        f"{result.phase}, {took_s:.1f} s: {total.planned} requests, {total.late} sent late, "
        f"{total.well} well, {total.failed} failed{_reasons(total)}; corrected "
        f"{_percentiles(corrected)}; uncorrected {_percentiles(total.from_sent)}"
    )


def phase_table(results: Sequence[PhaseResult]) -> Table:
    """Return a row for each phase, and below it one for each request, if there are several."""
    # Without lines between them eleven columns fit into the eighty of a terminal.
    title = "milliseconds from the intended time; p99 sent: from the actual send"
    table = Table(title=title, box=None, padding=(0, 1, 0, 0))
    table.add_column("phase")
    for name in ("requests", "late", "well", "failed", "p50", "p90", "p99", "p99.9", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("p99 sent", justify="right", no_wrap=True)
    for result in results:
        table.add_row(str(result.phase), *_cells(result.total, result.interval_s))
        if len(result.by_request) > 1:
            for name, figures in sorted(result.by_request.items()):
                table.add_row(f"  {name}", *_cells(figures, result.interval_s))
    return table


def failure_lines(results: Sequence[PhaseResult]) -> list[str]:
    """Return for each phase with failures which there were."""
    return [
        f"{result.phase}: {result.total.failed} failed{_reasons(result.total)}"
        for result in results
        if result.total.failed
    ]


def late_warnings(total: LoadFigures) -> list[str]:
    """Return what is to be said where too much was sent late; else nothing."""
    if total.late_share <= LATE_SHARE_MAX:
        return []
    warning = (
        f"{total.late_share:.1%} of the requests were sent late: this machine, or the number of "
        "connections (--connections), is the limit, and corrected figures have that in them; take "
        "a lower rate, or a machine of its own"
    )
    return [warning]


def audit_lines(report: AuditReport) -> list[str]:
    """Return what the audit saw, and the first of what it found."""
    head = (
        f"audit: {report.acknowledged} writes acknowledged, {report.refused} refused, "
        f"{report.unknown} unknown; {report.checked} read back, {report.unreadable_by_plan} not "
        f"readable by the plan: {report.count('lost')} lost, {report.count('doubled')} doubled, "
        f"{report.count('contradicted')} contradicted, {report.count('unread')} not answered"
    )
    lines = [head]
    lines += [str(each) for each in report.findings[:FINDINGS_TOLD]]
    if report.findings[FINDINGS_TOLD:]:
        left = len(report.findings) - FINDINGS_TOLD
        lines.append(f"and {left} more: --json FILE has all of them")
    return lines


def outcome_as_json(outcome: LoadOutcome, *, seed: int, missed: Sequence[str]) -> dict[str, Any]:
    """Return all of it as values of JSON; latencies are seconds."""
    audit = outcome.audit
    return {
        "seed": seed,
        "stopped": outcome.stopped,
        "phases": [_phase_as_json(each) for each in outcome.phases],
        "writes": outcome.ledger.standings(),
        "audit": None
        if audit is None
        else {
            "checked": audit.checked,
            "unreadable_by_plan": audit.unreadable_by_plan,
            **{kind: audit.count(kind) for kind in ("lost", "doubled", "contradicted", "unread")},
            "findings": audit.findings,
        },
        "missed": list(missed),
    }


def _phase_as_json(result: PhaseResult) -> dict[str, Any]:
    took_s = (result.ended_s or result.began_s) - result.began_s
    interval_s = result.interval_s
    return {
        "phase": str(result.phase),
        "took_s": took_s,
        "correction": "measured" if interval_s is None else "estimated",
        **result.total.as_json(interval_s=interval_s),
        "requests": {
            name: each.as_json(interval_s=interval_s) for name, each in result.by_request.items()
        },
    }


def _reasons(figures: LoadFigures) -> str:
    """Return what came instead: every failure, and every status if not all went well."""
    if not figures.failed:
        return ""
    reasons = [f"{count} x {what}" for what, count in figures.failures.most_common()]
    reasons += [f"{count} x {status}" for status, count in sorted(figures.statuses.items())]
    return f" ({', '.join(reasons)})"


def _cells(figures: LoadFigures, interval_s: float | None) -> list[str]:
    corrected = figures.corrected(interval_s)
    counts = (figures.planned, figures.late, figures.well, figures.failed)
    latencies = [*(corrected.at(each) for each in (50.0, 90.0, 99.0, 99.9)), corrected.max_s]
    latencies.append(figures.from_sent.at(99.0))
    told = [_in_ms(each) for each in latencies] if figures.well else ["-"] * len(latencies)
    return [str(each) for each in counts] + told


def _percentiles(latencies: Latencies) -> str:
    if not len(latencies):
        return "none"
    found = [f"p{each:g} {_in_words(latencies.at(each))}" for each in (50.0, 99.0, 99.9)]
    return " ".join([*found, f"max {_in_words(latencies.max_s)}"])


def _in_words(seconds: float) -> str:
    return f"{_in_ms(seconds)} ms" if seconds < 1 else f"{seconds:.3g} s"


def _in_ms(seconds: float) -> str:
    milliseconds = seconds * 1000
    return f"{milliseconds:.3g}" if milliseconds < 1000 else f"{milliseconds:.0f}"  # noqa: PLR2004
