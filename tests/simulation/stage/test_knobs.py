"""Each seed draws small limits: a replay has them, all holds, and bugs at them show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from unittest.mock import patch

import msgspec
import pytest

from actors.config import load_config
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.recording import Recording
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.script.chooser import SeededChooser
from actors.simulation.script.knobs import BESIDE, VALUES, Knob, choose_knobs, is_set, turned
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.shrink.minimise import minimise
from actors.simulation.stage.rehearsal import Rehearsal
from actors.store.messaging.output_buffer import OutputBuffer
from tests.simulation.planting import config_of
from tests.simulation.tally import TALLY, TallyCall

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from actors.kernel.rng import Rng
    from actors.simulation.stage.staging import Played

FULL: Final = Knob("store.outbox_messages_max", 1)


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        yield Rehearsal(TALLY, config_of("tally"), place, profile="network")


def tweets(*knobs: Knob) -> Script:
    workload = tuple([ClientRequest(0, n, TallyCall(author=n % 2)) for n in range(3)])
    stop = Schedule((Step(0, "suspend", "tally"), Step(5_000_000, "resume", "tally")))
    return Script(seed=1, workload=workload, schedule=stop, knobs=knobs)


def test_each_knob_is_drawn_and_often_none(rng: Rng) -> None:
    """None is drawn that could not act."""
    choose = SeededChooser(rng)
    drawn = [choose_knobs(choose) for _ in range(400)]
    assert {knob.key for knobs in drawn for knob in knobs} == set(VALUES)
    for keys in ({knob.key for knob in knobs} for knobs in drawn):
        assert all(other in keys for key, other in BESIDE.items() if key in keys)
    assert 0.3 < sum(not knobs for knobs in drawn) / len(drawn) < 0.8


@pytest.mark.sampled
@pytest.mark.parametrize("key", VALUES)
def test_a_knob_is_a_key_of_the_configuration(rehearsal: Rehearsal, key: str) -> None:
    """With each of its values all holds; a process that runs so is another run."""
    for value in VALUES[key]:
        assert turned(load_config(), [Knob(key, value)]) != load_config()
        assert rehearsal.play(tweets(Knob(key, value))).troubles == ()


@pytest.mark.parametrize(
    ("overflow", "lost"),
    [
        (None, []),
        ("drop_oldest", ["deadlettered tweets StoreTweet"]),
        ("drop_newest", ["deadlettered tweets StoreTweet"]),
    ],
)
def test_a_small_mailbox_overflows_as_drawn(
    rehearsal: Rehearsal, overflow: str | None, lost: list[str]
) -> None:
    """What is dropped is a dead letter, whose sender hears of it; in the end all holds."""
    drops = () if overflow is None else (Knob("mailbox.overflow", overflow),)
    played = rehearsal.play(tweets(Knob("mailbox.capacity", 1), *drops), keep=True)
    assert played.troubles == ()
    lines = [f"{line.kind} {line.who} {line.text}" for line in played.lines]
    assert [each for each in lines if each.startswith("deadlettered")] == lost
    assert sum(each.endswith("POST /api/v1/tweets 503") for each in lines) == 1


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("mailbox.size", 1, "there is no knob 'mailbox.size'"),
        ("mailbox.capacity", 0, "a number, at least 1: 0"),
        ("mailbox.capacity", "few", "a number, at least 1: 'few'"),
        ("mailbox.overflow", "explode", "mailbox.overflow is one of .*: 'explode'"),
        ("mailbox.overflow", 1, "mailbox.overflow is one of .*: 1"),
    ],
)
def test_what_is_no_knob_is_refused(key: str, value: int | str, why: str) -> None:
    """Nor is a value that its key cannot have; scripts are written by hand, too."""
    with pytest.raises(ValueError, match=why):
        Knob(key, value)


def test_what_somebody_has_set_stays() -> None:
    assert is_set({"store": {"outbox_messages_max": 7}}, FULL.key)
    assert not is_set({"store": {"busy_s_max": 7}}, FULL.key)


def test_a_recording_has_its_knobs(tmp_path: Path) -> None:
    """And one that was written without has none; what is no knob is refused."""
    script = tweets(FULL)
    recording = Recording(system="tally", seed=1, script=script)
    (tmp_path / "with.json").write_text(recording.to_json())
    assert Recording.read(tmp_path / "with.json", {"tally": TALLY}).script == script
    tree = msgspec.json.decode(recording.to_json())
    del tree["script"]["knobs"]
    (tmp_path / "old.json").write_bytes(msgspec.json.encode(tree))
    assert Recording.read(tmp_path / "old.json", {"tally": TALLY}).script.knobs == ()
    with pytest.raises(msgspec.ValidationError, match="no knob 'x'"):
        msgspec.convert({"key": "x", "value": 1}, Knob)


def test_a_full_outbox_that_drops_is_found(rehearsal: Rehearsal) -> None:
    """With a small one; the knob that matters is kept, and the others are turned back."""
    put = OutputBuffer.send

    def dropping(self: OutputBuffer, receiver: str, message: object, by_us: int | None) -> None:
        if not self._is_full(receiver):
            put(self, receiver, message, by_us)

    def play(script: Script) -> Played:
        with patch.object(OutputBuffer, "send", dropping):
            return rehearsal.play(script)

    script = tweets(Knob("channel.window_messages", 1), FULL, Knob("timer.window_timers", 1))
    assert play(tweets()).troubles == ()
    minimum = minimise(
        script, play, lambda played: bool(played.troubles), targets=rehearsal.targets, runs_max=40
    )
    assert minimum.script.knobs == (FULL,)
