"""A group may be parked where one of its own has spent its budget, and nowhere else."""

from __future__ import annotations

from typing import Final

import pytest

from actors.kernel.lifecycle import (
    Crashed,
    Degraded,
    LifecycleEvent,
    Parked,
    Recovered,
    Restarted,
    Resumed,
    Started,
    Suspended,
)
from actors.service.group import Group
from actors.simulation.oracles.supervision_oracle import (
    RestartBudget,
    SiblingOracle,
    SupervisionOracle,
)

GROUPS = {"favouriter": "acting", "responder": "acting"}
PARKED = [
    Parked(name=name, error="", retry_s=30.0) for name in ("responder", "favouriter", "acting")
]


def crashed(name: str, *, killed: bool = False, message_type: str | None = None) -> Crashed:
    return Crashed(name=name, incarnation=1, error="", killed=killed, message_type=message_type)


def life(times: int, *, killed: bool = False) -> list[LifecycleEvent]:
    """So many lives of a group, each of which ends with one of its own."""
    again: list[LifecycleEvent] = [
        crashed("responder", killed=killed),
        crashed("acting", message_type="_Exited"),
        Restarted(name="acting", incarnation=2, restarts=1),
        Restarted(name="responder", incarnation=2, restarts=1),
    ]
    last = again[:2]
    begun: list[LifecycleEvent] = [Started(name=name, incarnation=1) for name in GROUPS]
    return [*begun, *(times - 1) * again, *last, *PARKED]


@pytest.mark.parametrize(
    ("events", "found"),
    [
        (life(6), []),
        (life(3), ["acting"]),
        (life(6, killed=True), ["responder", "favouriter", "acting"]),
    ],
    ids=["spent", "too soon", "by kills"],
)
def test_a_group_is_parked_for_its_own_crashes(
    events: list[LifecycleEvent], found: list[str]
) -> None:
    """Whatever message its supervisor heard of them by; kills are none."""
    oracle = SupervisionOracle(RestartBudget(5, 30.0))
    oracle.begin(GROUPS)
    told = [each for at, event in enumerate(events) for each in oracle.hear(event, at / 10)]
    assert [each.split()[0] for each in told] == found


def test_who_was_resumed_is_suspended_for_who_asks_alone() -> None:
    """Who has asked before it was resumed, and has no answer yet, is such a one.

    And who has one of a later attempt: the first may come still.
    """
    resumed, suspended = Resumed(name="till"), Suspended(name="till")
    for has_answer, lost in ((False, False), (True, False), (True, True)):
        oracle = SupervisionOracle(RestartBudget(5, 30.0))
        oracle.suspended("till", 0.0, None)
        oracle.asking("suspend", "till", 1, 0.0)
        oracle.asking("suspend", "till", -has_answer, 0.0, lost=lost)
        found = [*oracle.hear(resumed, 0.0), *oracle.hear(suspended, 1.0)]
        assert bool(found) is (has_answer and not lost)


def test_who_asks_for_a_suspension_asks_the_next_process_too() -> None:
    """Its attempts go on, and one of them is done there."""
    oracle = SupervisionOracle(RestartBudget(5, 30.0))
    oracle.asking("suspend", "till", 1, 0.0)
    oracle.begin({})
    assert not [*oracle.hear(Resumed(name="till"), 1.0), *oracle.hear(Suspended(name="till"), 2.0)]
    oracle.asking("suspend", "till", -1, 3.0)
    assert [*oracle.hear(Resumed(name="till"), 4.0), *oracle.hear(Suspended(name="till"), 5.0)]


def test_who_is_suspended_for_a_time_is_resumed_when_it_is_over() -> None:
    """Of the latest; sooner where somebody asks for it, an operator's word comes when it may."""
    resumed = Resumed(name="till")
    oracle = SupervisionOracle(RestartBudget(5, 30.0))
    oracle.suspended("till", 0.0, 2.0)
    oracle.suspended("till", 1.0, 10.0)
    (told,) = oracle.hear(resumed, 2.0)
    assert told == "till was resumed, and nobody has wanted that, nor was it time"
    assert not [*oracle.hear(resumed, 11.0)]
    oracle.suspended("till", 12.0, None)
    assert [*oracle.hear(resumed, 500.0)]
    assert not [*oracle.resumed("till", 501.0)]
    assert not [*oracle.hear(resumed, 501.0)]
    oracle.asking("resume", "till", 1, 502.0)
    oracle.suspended("till", 503.0, 10.0)
    assert not [*oracle.hear(resumed, 504.0)]


@pytest.mark.parametrize(
    ("between", "at_s", "late"),
    [
        ([], 4.0, False),
        ([], 9.0, True),
        ([crashed("till")], 9.0, False),
        ("another operator", 9.0, False),
        ("a pause", 9.0, False),
    ],
)
def test_who_is_suspended_for_a_time_is_up_when_it_is_over(
    between: list[LifecycleEvent] | str, at_s: float, *, late: bool
) -> None:
    """By itself: where an operator was told so, and nothing else has been done to it."""
    oracle = SupervisionOracle(RestartBudget(5, 30.0))
    oracle.suspended("till", 0.0, None)
    oracle.asking("suspend", "till", 1, 0.0)
    assert not [*oracle.hear(Suspended(name="till"), 0.5)]
    if between == "another operator":
        oracle.suspended("till", 0.8, None)
    oracle.confirmed("till", 1.0, 5.0)
    oracle.asking("suspend", "till", -1, 1.0)
    if between == "a pause":
        oracle.stood_still()
    for event in between if isinstance(between, list) else ():
        assert not [*oracle.hear(event, 2.0)]
    assert bool([*oracle.resumed("till", at_s)]) is late
    assert not [*oracle.hear(Resumed(name="till"), at_s)]


def up(name: str, incarnation: int = 1) -> LifecycleEvent:
    if incarnation == 1:
        return Started(name=name, incarnation=1)
    return Restarted(name=name, incarnation=incarnation, restarts=incarnation - 1)


BOTH: Final = [up("favouriter"), up("responder"), up("till")]
FULL: Final = Degraded(name="responder", error="")
ROOM_AGAIN: Final = [Degraded(name="favouriter", error=""), Recovered(name="favouriter")]
AGAIN: Final = [crashed("responder"), up("favouriter", 2), up("responder", 2)]
# Its second end comes before its sibling is up again for its first.
AMID: Final = [
    crashed("favouriter", killed=True),
    up("favouriter", 2),
    crashed("favouriter", killed=True),
    up("responder", 2),
    up("favouriter", 3),
    up("responder", 3),
]


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([*BOTH, *AGAIN], ""),
        ([*BOTH, crashed("responder", killed=True), up("responder", 2)], "favouriter was not"),
        (
            [*BOTH, crashed("till"), up("till", 2), up("responder", 2)],
            "responder was started again",
        ),
        ([*BOTH, *AGAIN, *AGAIN, *AGAIN], "favouriter was started again though the budget"),
        (
            [*BOTH, *AGAIN, crashed("responder"), crashed("acting", message_type="_Exited")],
            "acting",
        ),
        ([*BOTH, *3 * [*AGAIN][:1], crashed("acting", message_type="_Exited")], ""),
        ([*BOTH, *AGAIN, *AGAIN, crashed("responder"), crashed("acting")], ""),
        ([*BOTH, FULL, *AGAIN[1:]], ""),
        ([up("favouriter"), FULL, up("responder"), *AGAIN[1:]], ""),
        ([*BOTH, FULL, Recovered(name="responder"), AGAIN[1]], "favouriter was started again"),
        ([*BOTH, FULL, *ROOM_AGAIN, *AGAIN[1:]], ""),
        ([*BOTH, *ROOM_AGAIN, AGAIN[1]], "favouriter was started again"),
        ([*BOTH, FULL, *AGAIN[1:], up("responder", 3)], "responder was started again"),
        ([*BOTH, FULL, FULL, crashed("till"), crashed("till"), *2 * [up("till", 2)]], "till was"),
        ([*BOTH, *AMID], ""),
        ([*BOTH, *AMID, up("responder", 4)], "responder was started again"),
        ([*BOTH, *3 * AMID[:1], up("favouriter", 2), *3 * [up("responder", 2)]], "responder was"),
    ],
    ids=[
        "whole",
        "alone",
        "for another",
        "spent",
        "too soon",
        "cannot start",
        "just spent",
        "full",
        "up full",
        "no longer full",
        "its sibling no longer full",
        "none full any more",
        "full once",
        "ended twice",
        "again amid it",
        "once too often",
        "ended thrice",
    ],
)
def test_siblings_are_started_again_as_their_group_has_it(
    events: list[LifecycleEvent], found: str
) -> None:
    """All with one, and nobody else; until the budget that they share is spent, and no sooner."""
    acting = Group(
        name="acting", services=(*GROUPS,), strategy="one_for_all", intensity=2, period_s=30.0
    )
    oracle = SiblingOracle(RestartBudget(5, 30.0))
    oracle.begin(GROUPS, {"acting": acting})
    told = [each for at, event in enumerate(events) for each in oracle.hear(event, 0.9 * at)]
    told += oracle.left()
    assert [each for each in told if not each.startswith(found or "-")] == []
    assert bool(told) is bool(found)


def test_who_goes_with_one_before_it_spends_nothing_of_its_own() -> None:
    """Both crash at one moment: the later one is started again for the earlier one's sake."""
    acting = Group(
        name="acting", services=(*GROUPS,), strategy="rest_for_one", intensity=2, period_s=30.0
    )
    oracle = SiblingOracle(RestartBudget(5, 30.0))
    oracle.begin(GROUPS, {"acting": acting})
    both = [crashed("favouriter"), crashed("responder"), up("favouriter", 2), up("responder", 2)]
    once, twice = [crashed("responder"), up("responder", 3)], [crashed("responder")]
    told = [each for event in (*BOTH, *both, *once) for each in oracle.hear(event, 0.0)]
    assert told == []
    told = [each for event in (*twice, up("responder", 4)) for each in oracle.hear(event, 1.0)]
    assert [each for each in told if "though the budget of acting was spent" in each]


def test_who_comes_up_first_after_one_that_has_ended_is_started_again_with_it() -> None:
    """The group is still being started: its second one's first start is nobody's end."""
    acting = Group(name="acting", services=(*GROUPS,), strategy="one_for_all")
    oracle = SiblingOracle(RestartBudget(5, 30.0))
    oracle.begin(GROUPS, {"acting": acting})
    early = [up("favouriter", 1), crashed("favouriter"), up("responder", 1)]
    events = (*early, up("favouriter", 2), up("responder", 2))
    assert [each for event in events for each in oracle.hear(event, 0.0)] == []
    found = [*oracle.hear(up("responder", 3), 1.0)]
    assert found == ["responder was started again though it had not ended, nor who stands with it"]
