"""Who has ended is started again in time: at once, or after a pause that crashes have earned."""

from __future__ import annotations

from typing import Final

from actors.config import load_config
from actors.kernel.lifecycle import Crashed, LifecycleEvent, Parked, Restarted
from actors.simulation.oracles.restart_delay_oracle import RestartDelayOracle
from actors.simulation.oracles.standstills import Standstills

UP: Final = Restarted(name="till", incarnation=2, restarts=1)
CONFIG: Final = load_config().supervisor


def crashed(*, killed: bool = False, message_type: str | None = None) -> LifecycleEvent:
    return Crashed(name="till", incarnation=1, error="", killed=killed, message_type=message_type)


def oracle() -> RestartDelayOracle:
    made = RestartDelayOracle(CONFIG, Standstills())
    made.begin(alone=True)
    return made


def test_a_pause_is_as_long_as_crashes_in_a_row_have_made_it() -> None:
    """The first restarts at once, the third after twice as long as the second, at most."""
    each = oracle()
    for at_s, pause_s, late in ((0.0, 0.05, 0), (1.0, 0.1, 0), (2.0, 0.15, 0), (3.0, 0.4, 1)):
        each.hear(crashed(), at_s)
        assert len([*each.begun("till", at_s + pause_s)]) == late
        each.hear(UP, at_s + pause_s)


def test_after_a_stable_spell_it_starts_again_at_once() -> None:
    """Whatever was before; and so does who was killed, or has crashed of one message."""
    each = oracle()
    for at_s in range(6):
        each.hear(crashed(), at_s)
        assert not [*each.begun("till", at_s + 0.1)]
        each.hear(UP, at_s + 0.1)
    stable_s = 5.0 + CONFIG.stable_s + 2.0
    for end in (crashed(killed=True), crashed(message_type="Sell"), crashed()):
        each.hear(end, stable_s)
        (trouble,) = each.begun("till", stable_s + 0.5)
        assert trouble == "till was started again 0.500 s later than 0 s after its end"
        each.hear(UP, stable_s + 0.5)
        stable_s += CONFIG.stable_s + 2.0


def test_who_is_parked_is_tried_again_in_time_and_in_a_group_nobody_is_timed() -> None:
    """There one waits for the others' ends."""
    for alone in (True, False):
        each = oracle()
        each.begin(alone=alone)
        each.hear(crashed(), 1.0)
        each.hear(Parked(name="till", error="", retry_s=30.0), 1.1)
        assert not [*each.begun("till", 31.1)]
        each.hear(crashed(), 32.0)
        assert bool([*each.begun("till", 40.0)]) is alone
