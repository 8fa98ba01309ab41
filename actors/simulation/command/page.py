"""A failure as one HTML file: what was wrong, the run in lanes, all of its trace; no script."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

import msgspec

from actors.simulation.command.timeline_entry import seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from actors.simulation.command.timeline import Span, Timeline
    from actors.simulation.command.timeline_entry import TimelineEntry
    from actors.simulation.stage.rehearsal import Played

# From this on, time that goes by without anything is worth a line of its own, in microseconds.
GAP_US: Final = 1_000_000

KINDS: Final = {
    "request": "a client asks",
    "answer": "it is answered",
    "commit": "a commit",
    "refusal": "a refusal",
    "fault": "a fault, on purpose",
    "crash": "a crash",
    "up": "up again",
    "wrong": "wrong",
}

STYLE: Final = """
:root { color-scheme: light dark;
  --ground: #fbfbfa; --panel: #fff; --text: #1d2126; --soft: #667080; --line: #e2e4e8;
  --request: #2563eb; --answer: #7c9cf0; --commit: #64748b; --refusal: #b7791f; --fault: #d97706;
  --crash: #b91c1c; --up: #15803d; --wrong: #dc2626; --wrong-ground: #fdecec; --hover: #f1f4f9; }
@media (prefers-color-scheme: dark) { :root {
  --ground: #14171b; --panel: #1b1f25; --text: #e4e7eb; --soft: #94a0b0; --line: #2c323b;
  --request: #6ea0ff; --answer: #8fabe8; --commit: #8a97a8; --refusal: #d9a441; --fault: #f0a13a;
  --crash: #f0716f; --up: #4cc27a; --wrong: #ff6b68; --wrong-ground: #3a1d1f; --hover: #232933; } }
* { box-sizing: border-box }
body { margin: 0; padding: 1.5rem clamp(.75rem, 3vw, 2.5rem) 3rem; background: var(--ground);
  color: var(--text); font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.35rem; margin: 0 0 .25rem } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem }
p { margin: .3rem 0; max-width: 60rem } .soft { color: var(--soft) }
.trouble { background: var(--wrong-ground); border-left: 4px solid var(--wrong);
  padding: .6rem 1rem; margin: 1rem 0; max-width: 75rem; white-space: pre-wrap;
  overflow-wrap: anywhere }
code, pre, td.at { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .86em }
pre { background: var(--panel); border: 1px solid var(--line); padding: .75rem 1rem;
  overflow-x: auto; margin: .5rem 0; user-select: all }
summary { cursor: pointer; font-weight: 600; margin-top: 1.5rem }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .5rem 0; color: var(--soft) }
.key .dot { position: static; display: inline-block; margin: 0 .35rem 0 0; transform: none }
.key .dot.fault { transform: rotate(45deg) }
.scroll { overflow-x: auto; border: 1px solid var(--line); background: var(--panel) }
@media (min-width: 70rem) { .scroll { overflow-x: visible } thead th { position: sticky; top: 0 } }
table { border-collapse: collapse; width: 100% }
th { text-align: left; font-weight: 600; padding: .45rem .4rem; background: var(--panel);
  border-bottom: 2px solid var(--line); z-index: 2; white-space: nowrap; font-size: .85em }
th.lane { text-align: center; min-width: 4.2rem }
td { padding: .16rem .4rem; vertical-align: top } td.at { text-align: right; white-space: nowrap;
  color: var(--soft) }
td.lane { position: relative; padding: 0; border-left: 1px solid var(--line) }
td.text { border-left: 1px solid var(--line); padding-left: .8rem; min-width: 24rem;
  overflow-wrap: anywhere } td.text b { font-weight: 600 }
tbody tr:hover td { background: var(--hover) }
tr.gap td { border-top: 1px dashed var(--line); color: var(--soft); font-size: .85em }
tr.wrong-row td.text { color: var(--wrong); font-weight: 600 }
tr.fault td.text { color: var(--fault) } tr.crash td.text { color: var(--crash) }
tr.up td.text { color: var(--up) } tr.refusal td.text { color: var(--refusal) }
.dot { position: absolute; left: 50%; top: .42rem; width: .72rem; height: .72rem; z-index: 1;
  transform: translateX(-50%); border-radius: 50%; background: var(--commit) }
.dot.request { background: var(--request) } .dot.answer { background: var(--answer) }
.dot.refusal { background: var(--panel); border: 3px solid var(--refusal) }
.dot.fault { background: var(--fault); border-radius: 0; transform: translateX(-50%) rotate(45deg) }
.dot.crash { background: var(--crash); border-radius: 0 } .dot.up { background: var(--up) }
.dot.wrong { background: var(--wrong); border-radius: 0 }
.bar { position: absolute; top: 0; bottom: 0; width: 6px; left: calc(50% - 3px); opacity: .38 }
.bar.first { top: .75rem } .bar.end { bottom: auto; height: .75rem }
.bar.request { background: var(--request) }
.bar.down { background: var(--crash); width: 16px; left: calc(50% - 8px); opacity: .3 }
.bar.lasts { background: var(--fault); width: 11px; left: calc(50% - 5.5px); opacity: .3 }
"""


def render(
    timeline: Timeline,
    *,
    system: str,
    seed: int,
    played: Played,
    again: str,
    summary: Iterable[str],
) -> str:
    """Return the page; `summary` are sentences, `again` is the command that plays it again.

    `seed` is what it was found with.
    """
    script = played.script
    title = f"Seed {seed} breaks the {system}"
    if not played.troubles:
        title = f"Seed {seed} of the {system}: all held"
    trace = "\n".join(str(line) for line in played.lines)
    wrong = "".join(f'<div class="trouble">{escape(each)}</div>' for each in played.troubles)
    sentences = "".join(f"<p>{escape(each)}</p>" for each in summary)
    calls = "\n".join(
        f"client-{request.client} {request.gap_us} µs after the one before: {request.call}"
        for request in script.workload
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
{sentences}
{wrong}
<p>Play it again:</p>
<pre>{escape(again)}</pre>
<h2>What happened</h2>
{_key()}
<div class="scroll">
<table>
<thead><tr><th>virtual time</th>{_heads(timeline.lanes)}<th>what</th></tr></thead>
<tbody>
{"".join(_rows(timeline))}</tbody>
</table>
</div>
<h2>What it takes</h2>
<p class="soft">Requests and faults, each so long after the one before; the number
{script.seed} decides everything else.</p>
<pre>{escape(calls) or "no requests"}</pre>
<pre>{escape(script.schedule.literal())}</pre>
<details><summary>The whole trace</summary>
<p class="soft">Digest {escape(played.digest)}</p>
<pre>{escape(trace)}</pre>
</details>
<details><summary>The script, as JSON</summary>
<pre>{escape(msgspec.json.format(msgspec.json.encode(script), indent=2).decode())}</pre>
</details>
</body>
</html>
"""


def _key() -> str:
    dots = "".join(
        f'<span><i class="dot {kind}"></i>{escape(text)}</span>' for kind, text in KINDS.items()
    )
    return f'<div class="key">{dots}</div>'


def _heads(lanes: Iterable[str]) -> str:
    return "".join(f'<th class="lane" scope="col">{_head(lane)}</th>' for lane in lanes)


def _head(lane: str) -> str:
    return "<br>".join(escape(part) for part in lane.split("_"))


def _rows(timeline: Timeline) -> Iterator[str]:
    before_us = 0
    for index, entry in enumerate(timeline.entries):
        gap_us = entry.at_us - before_us
        if gap_us >= GAP_US:
            yield _gap(timeline, index, gap_us)
        before_us = max(entry.until_us, before_us)
        mark = "wrong-row" if entry.kind == "wrong" else entry.kind
        cells = "".join(_cell(timeline, lane, index, entry) for lane in timeline.lanes)
        yield (
            f'<tr class="{mark}"><td class="at">{seconds(entry.at_us)}</td>{cells}'
            f'<td class="text"><b>{escape(entry.lane)}</b> {_text(entry)}</td></tr>\n'
        )


def _gap(timeline: Timeline, index: int, gap_us: int) -> str:
    cells = "".join(
        f'<td class="lane">{_bars(_across(timeline, lane, index))}</td>' for lane in timeline.lanes
    )
    text = f"{gap_us / 1_000_000:,.1f} s later"
    return f'<tr class="gap"><td></td>{cells}<td class="text">{text}</td></tr>\n'


def _across(timeline: Timeline, lane: str, index: int) -> list[Span]:
    """Return what lasts across the gap before an entry."""
    return [
        each for each in timeline.spans if each.lane == lane and each.first < index <= each.last
    ]


def _cell(timeline: Timeline, lane: str, index: int, entry: TimelineEntry) -> str:
    spans = [
        span for span in timeline.spans if span.lane == lane and span.first <= index <= span.last
    ]
    bars = "".join(
        f'<i class="bar {span.kind}{_end(span, index)}" title="{escape(span.text)}"></i>'
        for span in spans
    )
    dot = f'<i class="dot {entry.kind}"></i>' if entry.lane == lane else ""
    return f'<td class="lane">{bars}{dot}</td>'


def _bars(spans: Iterable[Span]) -> str:
    return "".join(f'<i class="bar {span.kind}" title="{escape(span.text)}"></i>' for span in spans)


def _end(span: Span, index: int) -> str:
    if span.first == span.last:
        return " first end"
    return " first" if index == span.first else " end" if index == span.last else ""


def _text(entry: TimelineEntry) -> str:
    often = ""
    if entry.times > 1:
        often = f' <span class="soft">{entry.times} times, until {seconds(entry.until_us)}</span>'
    return f"{escape(entry.text)}{often}"
