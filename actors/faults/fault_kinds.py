"""What can be done to a system on purpose: every kind of fault there is."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

FaultName = Literal[
    "restart",
    "kill",
    "kill_at",
    "kill_starts",
    "stall_at",
    "suspend",
    "resume",
    "flap",
    "scale",
    "crash",
    "terminate",
    "terminate_with",
    "crash_with",
    "broken_deploy",
    "back_up",
    "previous_version",
    "present_version",
    "cut_power",
    "lose_at",
    "keep_at",
    "tear_at",
    "garble_at",
    "stale_at",
    "pause",
    "slow_store",
    "mend_store",
    "full_at",
    "lock_at",
    "fill_disk",
    "low_disk",
    "free_disk",
    "lock_file",
    "unlock_file",
    "slow_link",
    "heal",
    "reset",
    "truncate",
    "drop",
    "partition",
    "garble",
    "step_clock",
    "fail_before",
    "fail_after",
    "fail_commit",
    "poison",
    "lock_poison",
    "cure",
    "slow_handler",
    "late_effect",
    "twice_effect",
    "down_world",
    "slow_world",
    "silent_world",
    "mend_world",
    "crowd",
]
Scope = Literal[
    "service",
    "replicas",
    "point",
    "commit",
    "process",
    "setting",
    "mistake",
    "store",
    "link",
    "saying",
    "clock",
    "handler",
    "effect",
    "version",
]


# How often who flaps crashes: once more than a restart budget has restarts.
FLAPS: Final = 6


class FaultKind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of fault: what it is done to, how it reads, how much of it there may be.

    `text` is for a timeline; `amounts_ms` are the amounts that are drawn, from the mildest, in
    milliseconds, empty for a fault without. A fault that lasts names the one that ends it.
    """

    scope: Scope
    text: str
    amounts_ms: tuple[int, ...] = ()
    ended_by: FaultName | None = None


# From the simplest: a schedule that fails with an earlier one is told with that one.
FAULTS: Final[Mapping[FaultName, FaultKind]] = MappingProxyType(
    {
        "restart": FaultKind(scope="service", text="restart {target}"),
        "kill": FaultKind(scope="service", text="kill {target}"),
        # Where random moments would hardly ever strike: just before a commit, or just after it.
        "kill_at": FaultKind(scope="point", text="set a trap: the next time at {target}, kill"),
        # More often than a restart budget has restarts: a kill spends none, whenever it comes.
        "kill_starts": FaultKind(
            scope="service", text=f"kill {{target}}, and {FLAPS} times more while it starts"
        ),
        # Whatever it waits for happens meanwhile, in an order that nobody expects.
        "stall_at": FaultKind(
            scope="point",
            text="set a trap: the next time at {target}, stop the service for {seconds}",
            amounts_ms=(1_000, 10_000),
        ),
        "suspend": FaultKind(scope="service", text="suspend {target}", ended_by="resume"),
        "resume": FaultKind(scope="service", text="resume {target}"),
        # Nobody's message is to blame: so often within its period spends a restart budget, and so
        # seldom that it does not; or after so long that the pauses between its starts begin anew.
        "flap": FaultKind(
            scope="service",
            text=f"let {{target}} crash by itself {FLAPS} times, now and {{seconds}} after a start",
            amounts_ms=(100, 7_000, 12_000),
        ),
        # Some come, or go with what they have in hand; whatever else happens to them meanwhile.
        "scale": FaultKind(scope="replicas", text="have as many replicas: {target}"),
        # kill -9: everything in memory is lost, files stay as they were committed.
        "crash": FaultKind(scope="process", text="crash the process"),
        # SIGTERM: it answers what it has begun, closes its files, and is started again.
        "terminate": FaultKind(scope="process", text="end the process in order"),
        # What was stored under the old limits is read under the new ones.
        "terminate_with": FaultKind(
            scope="setting", text="end the process in order, and start it with {target}"
        ),
        "crash_with": FaultKind(
            scope="setting", text="crash the process, and start it with {target}"
        ),
        # What its author should be told before it serves, by a sentence, and nothing is lost by it.
        "broken_deploy": FaultKind(
            scope="mistake",
            text="end the process in order, and start its next version, which has {target}; "
            "then this one again",
        ),
        # What is put back of it is all that was there at one moment, whatever happens beside.
        "back_up": FaultKind(scope="process", text="have an operator back the {target}'s files up"),
        # A rollback, and rolling forward again: what is on its way was written by the other one.
        "previous_version": FaultKind(
            scope="version",
            text="crash the {target}, and start its previous version",
            ended_by="present_version",
        ),
        "present_version": FaultKind(
            scope="version", text="crash the {target}, and start its present version"
        ),
        # A kill of the machine: of its files all stays that was synced.
        "cut_power": FaultKind(
            scope="process", text="cut the power: what is not synced yet is lost"
        ),
        # Between a commit and its acknowledgement there is something to lose. What a disk was told
        # to write, and not to sync, may be there or not, in part, or in another order.
        "lose_at": FaultKind(
            scope="commit",
            text="set a trap: the next time at {target}, cut the power; what is not synced is lost",
        ),
        "keep_at": FaultKind(
            scope="commit",
            text="set a trap: the next time at {target}, cut the power; what is not synced is kept",
        ),
        "tear_at": FaultKind(
            scope="commit",
            text="set a trap: the next time at {target}, cut the power; what is not synced is torn",
        ),
        "garble_at": FaultKind(
            scope="commit",
            text="set a trap: the next time at {target}, cut the power; "
            "what is not synced is garbled",
        ),
        "stale_at": FaultKind(
            scope="commit",
            text="set a trap: the next time at {target}, cut the power; "
            "where what is not synced should be stands what was there before",
        ),
        # SIGSTOP, a collector, a machine that sleeps: clocks and all others go on, and then all
        # that was due meanwhile is due at once.
        "pause": FaultKind(
            scope="process",
            text="let nothing of the process run for {seconds}",
            amounts_ms=(100, 1_000, 10_000, 60_000),
        ),
        "slow_store": FaultKind(
            scope="store",
            text="the store of {target} takes {seconds} more a commit",
            amounts_ms=(10, 100, 1_000, 10_000),
            ended_by="mend_store",
        ),
        "mend_store": FaultKind(scope="store", text="the store of {target} is fast again"),
        # For one write: what comes behind it finds room, and must not overtake it.
        "full_at": FaultKind(
            scope="point",
            text="set a trap: the next time at {target}, the disk is full for one write",
        ),
        # What it had in hand is in nobody's for a while.
        "lock_at": FaultKind(
            scope="point",
            text="set a trap: the next time at {target}, kill, and let the file not be opened for "
            "{seconds}",
            amounts_ms=(300, 3_000),
        ),
        "fill_disk": FaultKind(
            scope="store", text="the disk of {target} is full", ended_by="free_disk"
        ),
        # What somebody else writes and deletes there, a log or a backup.
        "low_disk": FaultKind(
            scope="store",
            text="the disk of {target} is full for {seconds}, has room for as long, and so on",
            amounts_ms=(100, 1_000, 10_000),
            ended_by="free_disk",
        ),
        "free_disk": FaultKind(scope="store", text="the disk of {target} has room again"),
        # Its restarts fail until its budget is spent; parked, it is tried again now and then.
        "lock_file": FaultKind(
            scope="store",
            text="kill {target}, whose file cannot be opened any more",
            ended_by="unlock_file",
        ),
        "unlock_file": FaultKind(scope="store", text="the file of {target} can be opened again"),
        "slow_link": FaultKind(
            scope="link",
            text="{target} takes {seconds} more",
            amounts_ms=(10, 100, 1_000, 10_000),
            ended_by="heal",
        ),
        # Ends everything that lasts on a link.
        "heal": FaultKind(scope="link", text="{target} is whole and fast again"),
        # Both ends learn of it at once.
        "reset": FaultKind(scope="link", text="reset the connections of {target}"),
        # Half of an answer, or of a line of a stream, is all that comes.
        "truncate": FaultKind(
            scope="link", text="reset the connection of {target} amid what comes next"
        ),
        # Nobody is told: only a time-out finds out.
        "drop": FaultKind(scope="link", text="drop the connections of {target} silently"),
        "partition": FaultKind(scope="link", text="cut {target}", ended_by="heal"),
        # What stands between two hosts says it otherwise, or an end itself does.
        "garble": FaultKind(scope="saying", text="garble what comes next: {target}"),
        # The wall clock alone; the monotonic one goes on.
        "step_clock": FaultKind(
            scope="clock",
            text="the wall clock steps by {seconds}",
            amounts_ms=(
                *(1_000, -1_000, 60_000, -60_000, 3_600_000, -3_600_000),
                *(86_400_000, -86_400_000, 2_592_000_000),
            ),
        ),
        # A handler's own crash: its message is tried again, and nothing of it was kept.
        "fail_before": FaultKind(
            scope="handler", text="set a trap: the next time, {target} raises before its work"
        ),
        "fail_after": FaultKind(
            scope="handler", text="set a trap: the next time, {target} raises after its work"
        ),
        # A deferred constraint names nobody: who is to blame is found by a commit of its own each.
        "fail_commit": FaultKind(
            scope="handler",
            text="set a trap: the next time, what {target} has written breaks a constraint "
            "at the commit",
        ),
        # Tried again in vain, it is a dead letter; once the handler is mended, that is replayed.
        "poison": FaultKind(
            scope="handler",
            text="what {target} is given next is poison: it raises each time",
            ended_by="cure",
        ),
        # Whoever parks meanwhile must know afterwards how often it was tried.
        "lock_poison": FaultKind(
            scope="handler",
            text="set a trap: what {target} is given next is poison: it raises each time, and "
            "after the first its file cannot be opened for {seconds}",
            amounts_ms=(3_000,),
        ),
        "cure": FaultKind(scope="handler", text="{target} is mended: nothing is poison to it"),
        # Beyond its budget it is interrupted.
        "slow_handler": FaultKind(
            scope="handler",
            text="set a trap: the next time, {target} takes {seconds} more",
            amounts_ms=(100, 1_000, 10_000),
        ),
        # The outside world has done it, and is heard of too late, or asked once more.
        "late_effect": FaultKind(
            scope="effect",
            text="set a trap: the next answer to {target} is {seconds} late",
            amounts_ms=(100, 1_000, 10_000, 60_000),
        ),
        "twice_effect": FaultKind(
            scope="effect", text="set a trap: the next time, {target} asks the outside world twice"
        ),
        # For a while, and to whoever asks: what breakers, retries and deadlines are for.
        "down_world": FaultKind(
            scope="effect", text="the outside world refuses {target}", ended_by="mend_world"
        ),
        "slow_world": FaultKind(
            scope="effect",
            text="the outside world takes {seconds} more for {target}",
            amounts_ms=(1_000, 10_000),
            ended_by="mend_world",
        ),
        # It does what it is asked, and says nothing.
        "silent_world": FaultKind(
            scope="effect", text="the outside world answers {target} nothing", ended_by="mend_world"
        ),
        "mend_world": FaultKind(
            scope="effect", text="the outside world answers {target} again, and at once"
        ),
        # More than anybody has room for, where room is small.
        "crowd": FaultKind(
            scope="process",
            text="let a crowd of clients ask the {target}, for {seconds}",
            amounts_ms=(100, 1_000, 5_000),
        ),
    }
)
