"""A failure's page stands alone, says everything that the timeline does, and is well formed."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import msgspec
import pytest

from actors.config import load_config
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.page import render
from actors.simulation.command.timeline import Timeline, build_timeline
from actors.simulation.look.close_look import CloseLook
from actors.simulation.script.knobs import Knob
from actors.simulation.stage.rehearsal import Rehearsal
from actors.systems.hotel.system import HOTEL

if TYPE_CHECKING:
    from actors.simulation.stage.staging import Played

VOID = {"meta", "br", "input"}
NASTY = "room <b>1</b> & \"others\" were sold twice: '</pre><script>'"
AGAIN = "python runtime.py simulate --replay 'a <b>.json'"


class Tree(HTMLParser):
    """Reads a page; `text` is all of its text, `tags` are all of its elements."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Played, Timeline, str]:
    """A run with faults of every kind, and the page that is made of it."""
    with without_logs():
        rehearsal = Rehearsal(
            HOTEL, load_config(systems=[HOTEL]), tmp_path_factory.mktemp("page"), profile="chaos"
        )
        played = rehearsal.play(rehearsal.script(8), keep=True, onlooker=CloseLook())
    script = msgspec.structs.replace(played.script, knobs=(Knob("mailbox.capacity", 2),))
    played = msgspec.structs.replace(played, script=script, troubles=(NASTY,))
    timeline = build_timeline(played, rehearsal.targets.services)
    page = render(
        timeline, system="hotel", seed=8, played=played, again=AGAIN, summary=["It takes <3."]
    )
    return played, timeline, page


def read(page: str) -> Tree:
    """Return the page's elements; fails where they are not nested."""
    tree = Tree()
    tree.feed(page)
    tree.close()
    assert tree.open == []
    return tree


def test_page_stands_alone(told: tuple[Played, Timeline, str]) -> None:
    """Nothing is loaded from anywhere, and nothing is run."""
    tree = read(told[2])
    assert {tag for tag, _ in tree.tags}.isdisjoint({"script", "link", "img", "iframe", "object"})
    names = {name for _, attributes in tree.tags for name in attributes}
    assert names.isdisjoint({"src", "href", "onclick", "onload"})
    assert not re.search(r"url\(|@import|https?:", told[2])


def test_page_says_what_the_timeline_says(told: tuple[Played, Timeline, str]) -> None:
    """What was wrong, how to repeat it, every entry, every line of the trace, word for word."""
    played, timeline, page = told
    tree = read(page)
    for text in (NASTY, AGAIN, "It takes <3.", played.digest, "Seed 8 breaks the hotel"):
        assert text in tree.text
    for entry in timeline.entries:
        assert f"{entry.lane} {entry.text}" in tree.text
        assert all(each in tree.text for each in entry.details)
    for line in played.lines:
        assert str(line) in tree.text
    assert played.script.schedule.literal() in tree.text
    assert "where mailbox.capacity = 2" in tree.text


def test_page_draws_every_moment_and_span_in_its_lane(told: tuple[Played, Timeline, str]) -> None:
    """One mark an entry, and a bar in each row that a span lasts."""
    _, timeline, page = told
    body = page.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = [row for row in body.split("<tr ")[1:] if not row.startswith('class="gap"')]
    assert len(rows) == len(timeline.entries)
    for index, row in enumerate(rows):
        cells = row.split('<td class="lane">')[1:]
        assert [
            lane for lane, cell in zip(timeline.lanes, cells, strict=True) if "dot" in cell
        ] == [timeline.entries[index].lane]
        for lane, cell in zip(timeline.lanes, cells, strict=True):
            lasting = [
                span
                for span in timeline.spans
                if span.lane == lane and span.first <= index <= span.last
            ]
            assert cell.count('class="bar') == len(lasting)


def test_a_run_that_held_is_called_so(told: tuple[Played, Timeline, str]) -> None:
    """A page of a replay without trouble says so in its title."""
    played, timeline, _ = told
    held = msgspec.structs.replace(played, troubles=())
    page = render(timeline, system="hotel", seed=8, played=held, again=AGAIN, summary=[])
    assert "<title>Seed 8 of the hotel: all held</title>" in page


def test_every_color_has_a_dark_twin(told: tuple[Played, Timeline, str]) -> None:
    """Each custom property of the light page is set for the dark one as well."""
    light, _, dark = told[2].partition("prefers-color-scheme: dark")
    names = re.findall(r"(--[a-z-]+):", light.rpartition("}")[0])
    assert len(names) > 10
    assert re.findall(r"(--[a-z-]+):", dark.partition("} }")[0]) == names
