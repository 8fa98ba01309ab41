"""How many requests of one kind are worked on at once: as many as are answered in good time.

What waits longer than its client is work done for nobody, and makes all behind it late as well. The
rule is CoDel's (K. Nichols and V. Jacobson, "Controlling Queue Delay", ACM Queue 10 (5), 2012): not
a long queue is bad but one that stays. A bound on what is in progress does what CoDel does by
dropping, since by Little's law it bounds the wait; that law also says how far to lower it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from actors.resilience.refusals import Refusals

if TYPE_CHECKING:
    from actors.config import AdmissionConfig

# As many of a sample as must be in time: the quick ones among them, such as a first answer that is
# given again under its key, say nothing of those that wait, and some never get an answer.
SHARE_IN_TIME: Final = 0.75
# A bound that was too high goes down to no less than this share of it at a time.
SHRINK_MAX: Final = 0.5
# One that was reached, while answers came at once, goes up by this share; slower, the nearer they
# are to being late.
GROW_MAX: Final = 0.25
# What usually takes so long, when little is in progress, is late from twice as long on.
USUAL_FACTOR: Final = 2.0
# What is late leaves time to be answered at all.
DEADLINE_SHARE: Final = 0.8
# How fast what is usual follows what is seen.
USUAL_WEIGHT: Final = 0.125


class AdmissionControl:
    """The bound for one kind of request: `enters`, and after a yes `leaves`, each once.

    Those who enter within a window are a sample. It is in time once three quarters of it are
    answered, and late if that takes longer than `late_s`. Then the bound moves, and the next sample
    begins: it is of those alone who came after the move. Of refusals nothing is learnt.
    """

    def __init__(self, name: str, config: AdmissionConfig, *, deadline_s: float) -> None:
        """Nothing is in progress. `name` is for the log, `deadline_s` what a request has."""
        self.name = name
        self.in_progress = 0
        self.in_progress_max = min(config.in_progress_begin, config.in_progress_max)
        self.refusals = Refusals("more come than are answered in time; see edge.admission")
        self._config = config
        self.deadline_s = deadline_s
        # What an answer takes when little is in progress; not known at first.
        self._usual_s = 0.0
        # The sample: from when to when it entered, its size, and how many of it are answered.
        self._from_s = self._until_s = -math.inf
        self._size = self._answered = 0
        # When the last of these answers was given: it may be long until somebody comes and judges.
        self._answered_s = -math.inf
        # Whether the bound was reached while it entered: else its answers say nothing of that.
        self._is_of_the_bound = False
        # Since it began: how many were served at all, and were in progress at most.
        self._served = self._peak = 0

    @property
    def late_s(self) -> float:
        """From how many seconds on an answer is late."""
        usual_s = USUAL_FACTOR * self._usual_s
        return min(max(self._config.target_s, usual_s), DEADLINE_SHARE * self.deadline_s)

    def is_full(self, now_s: float) -> bool:
        """Whether one more may not be worked on."""
        if now_s >= self._until_s:
            self._judge(now_s)
        return self.in_progress >= self.in_progress_max

    def reconfigured(self, *, deadline_s: float) -> None:
        """Hear that its configuration has other values: the bound moves to where it may be."""
        self.deadline_s = deadline_s
        self._move(self.in_progress_max)

    def enters(self, now_s: float) -> bool:
        """Whether one more may be worked on, which then has to leave; who may not is counted."""
        if self.is_full(now_s):
            self.refuse(now_s)
            return False
        self.in_progress += 1
        self._peak = max(self._peak, self.in_progress)
        if now_s < self._until_s:
            self._size += 1
            self._is_of_the_bound |= self.in_progress >= self.in_progress_max
        return True

    def refuse(self, now_s: float) -> None:
        """Count one that is not worked on, for it is full."""
        late_s = round(self.late_s, 3)
        self.refusals.note(now_s, kind=self.name, in_progress=self.in_progress, late_s=late_s)

    def leaves(self, entered_s: float, now_s: float, *, served: bool, too_late: bool) -> None:
        """One that was let in at `entered_s` has its answer.

        `served`: it is what was asked for, and no refusal. `too_late`: it came to no answer by its
        deadline; where that passed before an answer would be late, it says nothing of the others.
        """
        self.in_progress -= 1
        in_sample = self._from_s <= entered_s < self._until_s
        if served and not too_late:
            self._served += 1
            if in_sample:
                self._answered += 1
                self._answered_s = now_s
        elif not too_late or now_s - entered_s < self.late_s:
            self._size -= in_sample
        if now_s >= self._until_s:
            self._judge(now_s)

    # --- Inside ------------------------------------------------------------------------------

    def _judge(self, now_s: float) -> None:
        """Once it is known whether the sample was in time, move the bound and begin the next."""
        took_s = now_s - self._from_s
        in_time = self._answered >= SHARE_IN_TIME * self._size
        if not in_time and took_s - self._config.window_s < self.late_s:
            return
        if in_time:
            took_s = self._answered_s - self._from_s
        is_little = self._peak <= self._config.in_progress_min
        if is_little and self._size:
            self._learn(took_s)
        elif self._size:
            # With little in progress it would take no longer: that it once did, in a slow spell,
            # must not keep what is late from being so for as long as the overload goes on.
            self._usual_s = min(self._usual_s, took_s)
        if not in_time:
            if not is_little:
                self._move(self._lower(took_s))
        elif self._size and self._is_of_the_bound and took_s < self.late_s:
            self._move(self._higher(took_s))
        self._from_s, self._until_s = now_s, now_s + self._config.window_s
        self._size = self._answered = self._served = 0
        self._is_of_the_bound = False
        self._peak = self.in_progress

    def _learn(self, took_s: float) -> None:
        """Little is in progress: that takes as long as it takes."""
        if self._usual_s == 0.0 or took_s >= self.late_s:
            self._usual_s = took_s
        else:
            self._usual_s += USUAL_WEIGHT * (took_s - self._usual_s)

    def _lower(self, took_s: float) -> float:
        """As many as at this rate are served within what is in good time."""
        present = min(self.in_progress_max, self._peak)
        served_in_time = self._served / took_s * self.late_s
        return max(SHRINK_MAX * present, min(served_in_time, present - 1))

    def _higher(self, took_s: float) -> float:
        bound, late_s = self.in_progress_max, self.late_s
        return bound + max(1.0, bound * GROW_MAX * max(0.0, 1.0 - took_s / late_s))

    def _move(self, bound: float) -> None:
        config = self._config
        self.in_progress_max = min(max(int(bound), config.in_progress_min), config.in_progress_max)
