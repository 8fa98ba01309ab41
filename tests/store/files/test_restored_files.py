"""Any file restored at any time: its service is parked, or nothing between it and others goes."""

from __future__ import annotations

import re
import signal
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from actors.errors import StoreLost
from actors.kernel.clock import ManualClock
from actors.simulation.command.scratch_folder import IN_MEMORY
from actors.store.files.loss_acceptance import accept_loss
from actors.store.messaging.origin import Numbering
from tests.store.correspondents import act, sends
from tests.store.ledger import Add, handlers
from tests.store.neighbours import Neighbours

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.kernel.envelope import Envelope
    from actors.store.messaging.origin import ChannelOrigin

LAST = "SELECT last FROM channel WHERE receiver = 'bob'"

# The longest took three seconds of a machine with six times the work that it has cores for.
SCHEDULE_S_MAX: Final = 30.0

STEPS = {
    "send": 5,
    "deliver": 5,
    "acknowledge": 4,
    "back up ann": 1,
    "back up bob": 1,
    "stop": 1,
    "kill": 1,
    "restore ann": 1,
    "restore bob": 1,
    "lose ann": 1,
    "lose bob": 1,
    "restore ann at once": 1,
    "restore bob at once": 1,
}
steps = st.lists(
    st.tuples(
        st.sampled_from([step for step, often in STEPS.items() for _ in range(often)]),
        st.integers(1, 4),
    ),
    max_size=30,
)


class Post:
    """What ann sends to bob, and what a process does with it; a backup of each."""

    def __init__(self, folder: Path) -> None:
        self.houses = Neighbours(folder / "data", ManualClock(), "ann", "bob")
        self.backups = {name: folder / f"{name}.backup" for name in self.houses.names}
        self.sent = 0
        self.next = 1
        self.receipts: list[int] = []
        # What bob told ann to be applied, by whatever files they had then: when he is lost nobody
        # has it, though a copy of hers that is put back later says that it was sent.
        self.told: set[str] = set()
        self.gone: set[str] = set()
        # What was on its way from a file that was gone may come late, from a copy of that.
        self.in_order = True

    def labels(self, name: str) -> list[str]:
        return self.houses.ledgers[name].labels()

    def waiting(self) -> list[Any]:
        """Return the numbers and labels in ann's outbox."""
        rows = self.houses.ledgers["ann"].query(
            "SELECT number, message FROM outbox ORDER BY number"
        )
        return [(number, msgspec.json.decode(blob, type=Add).label) for number, blob in rows]

    async def boot(self) -> None:
        """Start the next process; accept whatever loss there is."""
        self.houses.begin()
        for name in self.houses.names:
            await self.open(name)

    async def open(self, name: str) -> None:
        try:
            await self.houses.open(name)
        except StoreLost:
            accept_loss(self.houses.path, name)
            await self.houses.open(name)
        self.next = 1
        self.receipts.clear()

    async def write(self, name: str, *batch: Envelope) -> None:
        result = await self.houses.stores[name].write(batch, handlers(act))
        assert result.crash is None, result
        if name == "bob":
            self.receipts += [
                each.origin.number
                for each, outcome in zip(batch, result.outcomes, strict=True)
                if not isinstance(outcome, Exception)
            ]

    async def send(self, how_many: int) -> None:
        labels = [f"{number:04}" for number in range(self.sent, self.sent + how_many)]
        self.sent += how_many
        await self.write("ann", *self.houses.ledgers["ann"].batch(sends("bob", *labels)))

    async def deliver(self, how_many: int) -> None:
        rows = [(number, label) for number, label in self.waiting() if number >= self.next]
        base = min([number for number, _ in self.waiting()], default=1)
        for number, label in rows[:how_many]:
            origin = self.origin(number, base)
            if origin.store != self.origin(base, base).store:
                # Refused, and sent again once all before it are known to be applied.
                await self.acknowledge(len(self.receipts))
                base = number
                origin = self.origin(number, base)
            bob = self.houses.ledgers["bob"]
            await self.write("bob", bob.envelope(Add(label=label), origin=origin))
            self.next = number + 1

    def origin(self, number: int, base: int) -> ChannelOrigin:
        """Return what ann's channel to bob says of the message."""
        standing = self.houses.stores["ann"].backlog
        former = standing.channels["bob"].former if "bob" in standing.channels else ()
        ((last,),) = self.houses.ledgers["ann"].query(LAST)
        return Numbering(standing.store, former).origin("ann", number, base=base, last=last)

    async def acknowledge(self, how_many: int) -> None:
        for number in self.receipts[:how_many]:
            self.houses.stores["ann"].acknowledge("bob", number)
        del self.receipts[:how_many]
        await self.write("ann")

    async def end(self, *, in_order: bool) -> None:
        for store in self.houses.stores.values():
            await (store.close() if in_order else store.abandon())

    def restore(self, name: str) -> None:
        if self.backups[name].exists():
            self.lose(name)
            self.houses.restore(name, self.backups[name])

    def lose(self, name: str) -> None:
        if name == "bob":
            self.gone |= self.told
        self.houses.remove(name)

    async def restore_at_once(self, name: str) -> None:
        """Under the running process: it is noticed by the next write, and accepted."""
        if self.backups[name].exists():
            store = self.houses.stores[name]
            self.restore(name)
            lost = await store.write((), handlers())
            assert isinstance(lost.crash, StoreLost)
            await store.abandon()
            await self.open(name)

    def check(self) -> None:
        """Bob has applied nothing twice, all in order, and all of ann's but what is gone."""
        applied, sent = self.labels("bob"), self.labels("ann")
        assert len(applied) == len(set(applied))
        assert not self.in_order or applied == sorted(applied)
        settled = set(sent) - {label for _, label in self.waiting()}
        assert settled - set(applied) <= self.gone
        self.told |= settled
        numbers = [number for number, _ in self.waiting()]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Fail what takes longer, even a loop that awaits nothing; the test's own limit goes on."""

    def too_long(*_: object) -> None:
        message = f"the schedule is not at its end after {seconds:g} s"
        raise AssertionError(message)

    before = signal.signal(signal.SIGALRM, too_long)
    left, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        unused, _ = signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (seconds - unused), 0.001))


def schedule_of(text: str) -> list[tuple[str, int]]:
    """Return the steps, which commas separate: `send 3, back up ann`."""
    found = [re.fullmatch(r"(.*?)(?: (\d))?", step) for step in text.split(", ")]
    return [(step[1], int(step[2] or 1)) for step in found if step]


# Both were lost when ann's copy was put back: it knows of messages that went with bob.
LOST_WITH_BOB = "send 3, deliver 3, acknowledge 3, back up ann, lose ann, lose bob, restore ann"

# Bob's copy knows the numbers that ann's copy gave anew, but as those of other messages.
GIVEN_TWICE = (
    "send 2, deliver 2, acknowledge 2, back up ann, send 3, deliver 3, back up bob, lose bob, "
    "restore ann, send 3, restore bob, deliver 4, acknowledge 4"
)


# A schedule that fails is printed as it was drawn: to shrink it takes Hypothesis its five minutes,
# for each step is a start or a commit of real stores.
@settings(max_examples=25, phases=[phase for phase in Phase if phase is not Phase.shrink])
@example(schedule=schedule_of(LOST_WITH_BOB))
@example(schedule=schedule_of(GIVEN_TWICE))
@given(schedule=steps)
async def test_whichever_file_is_restored_nothing_is_swallowed_or_applied_twice(
    schedule: list[tuple[str, int]],
) -> None:
    """What a service has when it begins, it keeps; what it sends then arrives, once, in order."""
    place = IN_MEMORY if IN_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as folder, bounded(SCHEDULE_S_MAX):
        post = Post(Path(folder))
        await post.boot()
        for step, how_many in schedule:
            match step.split(" "):
                case ["send"]:
                    await post.send(how_many)
                case ["deliver"]:
                    await post.deliver(how_many)
                case ["acknowledge"]:
                    await post.acknowledge(how_many)
                case ["back", "up", name]:
                    post.houses.back_up(name, post.backups[name])
                case ["stop" | "kill" as how]:
                    await post.end(in_order=how == "stop")
                    await post.boot()
                case ["restore", name]:
                    await post.end(in_order=how_many % 2 == 0)
                    post.restore(name)
                    await post.boot()
                case ["lose", name]:
                    post.in_order = post.in_order and name != "ann"
                    await post.end(in_order=how_many % 2 == 0)
                    post.lose(name)
                    await post.boot()
                case ["restore", name, "at", "once"]:
                    await post.restore_at_once(name)
            post.check()
        await post.send(2)
        await post.deliver(1000)
        post.check()
        assert post.labels("bob")[-2:] == [f"{post.sent - 2:04}", f"{post.sent - 1:04}"]
        await post.end(in_order=True)
