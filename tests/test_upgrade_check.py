"""`check-upgrade` names each row that the code at hand could not read, and nothing else."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from actors.command_line import main
from actors.errors import DeadLettered
from actors.system import System
from tests.service.desks import Do, Note, Poison, SteppingClock, office
from tests.service.versions import first, second, third

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from actors.store.transaction import Transaction

ALL = {**first.SERVICES, "side": first.Front, "till": first.Till}


def check(
    folder: Path, services: Mapping[str, Any], capsys: pytest.CaptureFixture[str]
) -> tuple[int, list[str]]:
    """Return the command's exit code, and what it prints."""
    system = System(name="test", services=lambda _: services)
    capsys.readouterr()  # what the systems of the test have said
    code = main(["check-upgrade", str(folder)], systems=[system])
    out, err = capsys.readouterr()
    assert err == ""
    return code, out.splitlines()


def rows(folder: Path, service: str, sql: str) -> list[Any]:
    with closing(sqlite3.connect(folder / f"{service}.db")) as connection:
        return connection.execute(sql).fetchall()


def contents(folder: Path) -> dict[str, bytes]:
    """Return its files; of a log's index, which those who read it share, that it is there."""
    return {
        file.name: b"" if file.name.endswith("-shm") else file.read_bytes()
        for file in folder.iterdir()
    }


def send(tx: Transaction) -> None:
    for label in ("1", "2"):
        tx.send("back", first.Put(label=label))
        tx.send("back", Note(label=label))
        tx.send("back", first.Paint(label=label, shade="red"))
        tx.publish(first.Told(label=label))


def put_off(tx: Transaction) -> None:
    tx.after(5.0, first.Call(label="soon"))
    tx.after(5.0, first.Ring(label="soon"))
    tx.after(5.0, Note(label="soon"))


async def fill(folder: Path) -> Path:
    """Leave something in every table that is read again; return a folder as a kill -9 leaves it."""
    live, left = folder / "live", folder / "left"
    live.mkdir()
    async with office(live, ALL, clock=SteppingClock()) as run:
        await run.ask("front", Do(what=send))
        await run.ask("side", Do(what=send))  # which does not commit again: applied, and kept
        await run.until(lambda: len(run.labels("back")) == 16)
        with pytest.raises(DeadLettered):
            await run.through(run.ask("back", Poison()))
        await run.ask("till", first.Pay(amount=1), key="paid")
        await run.ask("till", first.Pay(amount=0), key="refused")
        await run.ask("till", first.Pay(amount=2))
        await run.ask("back", Do(what=put_off))
        run.system.suspend("back")
        await run.advance(0.1)
        await run.ask("front", Do(what=send))
        shutil.copytree(live, left)
    return left


async def test_all_that_the_code_at_hand_reads_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the code that wrote it, and by code that names, has and adds what it should."""
    left = await fill(tmp_path)
    for services in (
        ALL,
        {**third.SERVICES, "till": first.Till, "side": third.Front, "new": third.Back},
    ):
        code, lines = check(left, services, capsys)
        assert code == 0, lines
        assert len(lines) == 1
        assert "can be read" in lines[0]


async def test_each_row_that_cannot_be_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """File, table, number, to whom, type and reason: the same rows that plain SQL finds."""
    left = await fill(tmp_path)
    services = {**second.SERVICES, "side": second.Front, "till": second.Till, "late": second.Late}
    code, lines = check(left, services, capsys)
    *found, summary = lines
    assert code == 1
    expected: dict[str, str] = {}
    applied = dict(rows(left, "back", "SELECT sender, applied FROM inbox"))
    assert len(rows(left, "side", "SELECT * FROM outbox")) == applied["side"] == 8
    for number, kind in rows(left, "front", "SELECT number, message_type FROM outbox"):
        if number > applied["front"] and kind != "Note":
            reason = (
                "back cannot read this Paint: Expected `int`, got `str` - at `$.shade`"
                if kind == "Paint"
                else f"back has no handler for {kind}"
            )
            expected[f"front.db, outbox, to back, {kind}, row {number}"] = reason
    for seq, kind in rows(left, "back", "SELECT seq, message_type FROM timer"):
        if kind != "Note":
            reason = f"back has no handler for {kind}"
            expected[f"back.db, timer, to back, {kind}, row {seq}"] = reason
    for name in ("front", "side"):
        for (seq,) in rows(left, name, "SELECT seq FROM event WHERE message_type = 'Told'"):
            reason = "late cannot read this Told: Object contains unknown field `label`"
            expected[f"{name}.db, event, to late, Told, row {seq}"] = reason
    for seq, blob in rows(left, "till", "SELECT seq, reply FROM client_key WHERE refused = 0"):
        assert isinstance(json.loads(blob)["number"], int)
        reason = "till has no @command with such a reply: Expected `str`, got `int` - at `$.number`"
        expected[f"till.db, client_key, to whoever asks again, reply, row {seq}"] = reason
    assert len(expected) == 6 + 2 + 6 + 1
    assert dict(line.split(": ", 1) for line in found) == expected
    assert summary.startswith(f"{len(expected)} of ")
    assert "docs/UPGRADES.md" in summary


async def test_dead_letter_that_could_not_be_run_again_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that the code at hand has a handler for is not."""
    left = await fill(tmp_path)
    clock = SteppingClock()
    async with office(left, {**second.SERVICES, "till": first.Till}, clock=clock) as run:
        await run.advance(1.0, steps=10)
        await run.system.let_messages_go("front", "back", "Put")
        await run.advance(1.0, steps=10)
    code, lines = check(left, second.SERVICES, capsys)
    letters = rows(left, "back", "SELECT seq, message_type FROM dead_letter")
    assert {kind for _, kind in letters} == {"Poison", "Put"}
    named = [line for line in lines if "dead_letter" in line]
    assert code == 1
    assert named == [
        f"back.db, dead_letter, to back, Put, row {seq}: back has no handler for Put"
        for seq, kind in letters
        if kind == "Put"
    ]


@pytest.mark.parametrize("front", [first.Front, second.Front])
async def test_refusal_that_would_not_be_heard_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], front: type[Any]
) -> None:
    """One that was wanted waits; one that earlier code wrote for nobody becomes a dead letter."""
    async with office(tmp_path, {"front": front, "back": first.Back}, clock=SteppingClock()) as run:
        run.system.suspend("back")
        await run.advance(0.1)
        put = first.Put(label="not that")
        await run.ask("front", Do(what=lambda tx: tx.send("back", put)))
        run.system.suspend("front")
        await run.advance(0.1)
        run.system.resume("back")
        await run.advance(0.1)
    services = {"front": second.Front, "back": first.Back}
    if front is second.Front:
        assert check(tmp_path, services, capsys)[0] == 0  # whatever code runs: it says so itself
    with closing(sqlite3.connect(tmp_path / "back.db")) as connection, connection:
        connection.execute("UPDATE outbox SET message_type = 'Refused[Put]'")
    code, (line, _) = check(tmp_path, services, capsys)
    assert code == 1
    reason = "front has no handler for Refused[Put]"
    if front is second.Front:
        reason += "; it would become a dead letter"
    assert line == f"back.db, outbox, to front, Refused[Put], row 1: {reason}"


async def test_many_rows_of_a_kind_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first are shown, and how many more there are."""
    clock = SteppingClock()
    async with office(tmp_path, first.SERVICES, clock=clock) as run:
        rings = [first.Ring(label=str(number)) for number in range(500)]
        await run.ask("back", Do(what=lambda tx: [tx.after(9.0, each) for each in rings] and None))
    code, lines = check(tmp_path, second.SERVICES, capsys)
    assert code == 1
    assert len(lines) == 20 + 1 + 1
    assert lines[20] == "back.db, timer, to back, Ring: 480 more"
    assert lines[21].startswith("500 of 500 ")


async def test_files_of_nobody_and_services_without_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A service that is gone is named with what waits in its file; a new one is as it should be."""
    left = await fill(tmp_path)
    code, lines = check(left, {**first.SERVICES, "side": first.Front, "new": first.Till}, capsys)
    assert code == 1
    assert lines == ["till.db belongs to no service; 0 messages and 0 timers wait in it"]
    code, lines = check(left, {**first.SERVICES, "till": first.Till}, capsys)
    assert lines == ["side.db belongs to no service; 0 messages and 0 timers wait in it"]
    code, lines = check(left, {**ALL, "front": first.Taster}, capsys)
    assert code == 1
    waits = "8 messages and 0 timers wait in it"
    assert lines == [f"front.db belongs to no service (front is stateless now); {waits}"]
    (left / "till.db").unlink()
    code, lines = check(left, ALL, capsys)
    assert (code, len(lines)) == (1, 1)
    assert lines[0].startswith("till.db is gone")
    assert check(left, {**first.SERVICES, "side": first.Front}, capsys)[0] == 0


async def test_schema_that_is_not_this_versions_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A migration that was altered, or that only a later version has; one to come is none."""
    schema, altered, longer = tmp_path / "1", tmp_path / "2", tmp_path / "3"
    table = "CREATE TABLE entry (seq INTEGER PRIMARY KEY, label TEXT, at_us INTEGER) STRICT;"
    for folder, sql in (
        (schema, table),
        (altered, table.replace("label", "tag")),
        (longer, table),
    ):
        folder.mkdir()
        (folder / "0001_entry.sql").write_text(sql)
    (longer / "0002_more.sql").write_text("CREATE TABLE more (id INTEGER) STRICT;")
    tills = {
        folder: {"till": type("Till", (first.Till,), {"schema": folder})}
        for folder in (schema, altered, longer)
    }
    data = tmp_path / "data"
    data.mkdir()
    async with office(data, tills[schema], clock=SteppingClock()):
        pass
    assert check(data, tills[longer], capsys)[0] == 0
    code, (line,) = check(data, tills[altered], capsys)
    assert code == 1
    assert "0001_entry.sql was altered after it was applied" in line
    async with office(data, tills[longer], clock=SteppingClock()):
        pass
    code, (line,) = check(data, tills[schema], capsys)
    assert code == 1
    assert "run the version that wrote it, or a later one" in line


async def test_a_running_process_does_not_mind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is looked at beside it, and goes on; a damaged file is one line among the others."""
    async with office(tmp_path, ALL, clock=SteppingClock()) as run:
        await run.ask("front", Do(what=send))
        for _ in range(3):
            assert check(tmp_path, ALL, capsys)[0] == 0
            await run.ask("till", first.Pay(amount=1))
    with (tmp_path / "till.db").open("r+b") as file:
        file.write(b"x" * 100)
    code, (line,) = check(tmp_path, ALL, capsys)
    assert code == 1
    assert "till.db is damaged" in line


async def test_nothing_in_the_folder_is_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file is made beside one that was closed: it may be on a read-only disk."""
    stopped, killed = tmp_path / "live", await fill(tmp_path)
    (tmp_path / "links").mkdir()
    for file in killed.glob("*.db"):  # whose logs are where they lead
        (tmp_path / "links" / file.name).symlink_to(file)
    for folder in (stopped, killed, tmp_path / "links"):
        before = contents(folder)
        assert check(folder, ALL, capsys)[0] == 0
        assert contents(folder) == before
    assert not [*stopped.glob("*.db-*")]
    found = check(killed, second.SERVICES, capsys)
    assert check(tmp_path / "links", second.SERVICES, capsys) == found


def test_folder_in_which_nothing_ran_is_misuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, and why."""
    system = System(name="test", services=lambda _: ALL)
    for folder in (tmp_path, tmp_path / "absent"):
        assert main(["check-upgrade", str(folder)], systems=[system]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert "no system has run there" in err


@pytest.mark.parametrize("words", [[""], ["data", "--data-dir", "data"]])
def test_folder_is_named_once_and_has_a_name(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """An empty name would be the configured folder, and a second one would be left unread."""
    system = System(name="test", services=lambda _: ALL)
    with pytest.raises(SystemExit) as ended:
        main(["check-upgrade", *words], systems=[system])
    assert ended.value.code == 2
    assert words[-1] in capsys.readouterr().err


def test_what_is_no_folder_is_misuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is said of a manifest that nobody could see."""
    system = System(name="test", services=lambda _: ALL)
    (tmp_path / "file").touch()
    assert main(["check-upgrade", str(tmp_path / "file")], systems=[system]) == 2
    told = capsys.readouterr().err
    assert f"cannot read {tmp_path}/file: Not a directory; name the data folder" in told
