"""The audit against servers that lose, double and contradict on purpose; all on virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from actors.load.load_phase import OpenLoop
from actors.load.load_run import LoadLimits
from tests.load.notebook import BY_ID, ById, Notebook, kinds, loaded

PHASE = OpenLoop(rate=20.0, duration_s=1.0, pace="constant")
# The fifth of the twenty notes is the one that something happens to.
FIFTH = 4


class Losing(Notebook):
    def post(self, text: str) -> tuple[int, Any]:
        status, note = super().post(text)
        if len(self.keys) == FIFTH + 1:
            self.notes.pop()
        return status, note


class Doubling(Notebook):
    def post(self, text: str) -> tuple[int, Any]:
        if len(self.keys) == FIFTH + 1:
            super().post(text)
        return super().post(text)


class Contradicting(Notebook):
    def post(self, text: str) -> tuple[int, Any]:
        status, note = super().post(text)
        if len(self.keys) == FIFTH + 1:
            note["by"], note = "grace", {**note}
        return status, note if len(self.keys) != FIFTH + 1 else {**note, "by": "ada"}


class RefusingAndDoing(Notebook):
    def post(self, text: str) -> tuple[int, Any]:
        status, note = super().post(text)
        return (409, {}) if len(self.keys) == FIFTH + 1 else (status, note)


class FailingAndDoing(Notebook):
    """It answers 500, or nothing, and has done it, once."""

    failure = 500

    def post(self, text: str) -> tuple[int, Any]:
        status, note = super().post(text)
        return (self.failure, {}) if len(self.keys) == FIFTH + 1 else (status, note)


class FailingAndDoubling(FailingAndDoing):
    def post(self, text: str) -> tuple[int, Any]:
        if len(self.keys) == FIFTH + 1:
            Notebook.post(self, text)
        return super().post(text)


@pytest.mark.parametrize(
    ("server", "found"),
    [
        (Notebook, []),
        (Losing, [("lost", 1)]),
        (Doubling, [("doubled", 1)]),
        (Contradicting, [("contradicted", 1)]),
        (RefusingAndDoing, [("contradicted", 1)]),
        (FailingAndDoing, []),
        (FailingAndDoubling, [("doubled", 1)]),
    ],
    ids=lambda each: each.__name__ if isinstance(each, type) else "",
)
def test_what_a_server_does_wrong_is_found(
    server: type[Notebook], found: list[tuple[str, int]]
) -> None:
    """And nothing else; of what failed nobody knows whether it was done, but not twice."""
    notebook = server()
    outcome = loaded(notebook, PHASE)
    assert kinds(outcome) == found
    assert outcome.audit is not None
    assert outcome.audit.checked == len(outcome.ledger) == len(notebook.keys) == 20
    for finding in outcome.audit.findings:
        assert finding.keys == (notebook.keys[FIFTH],)
        assert notebook.keys[FIFTH] in str(finding)


def test_every_write_has_an_entry_with_its_key() -> None:
    """In the order of sending, each key once, and what was answered."""
    notebook = RefusingAndDoing()
    entries = loaded(notebook, PHASE).ledger.entries
    assert [each.key for each in entries] == notebook.keys
    assert len(set(notebook.keys)) == 20
    assert [each.standing for each in entries].count("refused") == 1
    assert entries[0].status == 201
    assert entries[0].answer == notebook.notes[0]


@pytest.mark.parametrize("failure", [202, 429, 503, 0])
def test_of_these_answers_nothing_is_known(failure: int) -> None:
    """Neither a promise nor a no: whether it was done or not, nothing is wrong."""

    class Failing(Notebook):
        def post(self, text: str) -> tuple[int, Any]:
            if len(self.keys) == FIFTH + 1:
                return failure, {}
            return super().post(text)

    for server in (Failing, type("Done", (FailingAndDoing,), {"failure": failure})):
        outcome = loaded(server(), PHASE)
        assert outcome.ledger.standings() == {"acknowledged": 19, "refused": 0, "unknown": 1}
        assert kinds(outcome) == []


def test_a_system_that_does_not_answer_is_not_passed() -> None:
    """It is asked again for some seconds; then its writes count as not read."""

    class Silent(Notebook):
        def page(self, after: int) -> tuple[int, Any]:
            del after
            return 503, {}

    assert kinds(loaded(Silent(), PHASE)) == [("unread", 20)]


@pytest.mark.parametrize("refusal", [503, 429, 0])
def test_a_system_that_recovers_is_read(refusal: int) -> None:
    """As after a restart under load; or it is still busy with that."""

    class Recovering(Notebook):
        refused = 0

        def page(self, after: int) -> tuple[int, Any]:
            self.refused += 1
            return super().page(after) if self.refused > 5 else (refusal, {})

    assert kinds(loaded(Recovering(), PHASE, limits=LoadLimits(timeout_s=0.5))) == []


@pytest.mark.parametrize(("failure", "said"), [(0, "timed out"), (503, "says 503")])
def test_whoever_does_not_recover_is_waited_for_once(failure: int, said: str) -> None:
    """And not again for each of a thousand writes; none of them counts as read back."""

    class Gone(ById):
        def one(self, id_: int) -> tuple[int, Any]:
            del id_
            return failure, {}

    gone = Gone()
    outcome = loaded(gone, OpenLoop(rate=100.0, duration_s=10.0), plan=BY_ID)
    assert kinds(outcome) == [("unread", len(gone.notes))]
    assert outcome.audit is not None
    assert outcome.audit.checked == 0
    (finding,) = outcome.audit.findings
    assert finding.detail.endswith(said)
    assert gone.read_s < 60.0


def test_one_that_cannot_be_read_spoils_no_other() -> None:
    """Whatever becomes of its connection."""

    class Closing(ById):
        def one(self, id_: int) -> tuple[int, Any]:
            if id_ == FIFTH:
                raise ConnectionResetError
            return super().one(id_)

    for limits in (None, LoadLimits(connections_max=1)):
        outcome = loaded(Closing(), PHASE, plan=BY_ID, limits=limits)
        assert kinds(outcome) == [("unread", 1)]


def test_what_was_answered_as_a_list_is_compared_as_one() -> None:
    """And not as one of several."""

    class Tagging(ById):
        tags = ["a", "b"]  # noqa: RUF012 - of a server of one test

        def post(self, text: str) -> tuple[int, Any]:
            status, note = super().post(text)
            note["by"] = ["a", "b"]
            return status, note

        def one(self, id_: int) -> tuple[int, Any]:
            return 200, {**self.notes[id_], "by": self.tags}

    class Mixing(Tagging):
        tags = ["b"]  # noqa: RUF012 - likewise

    assert kinds(loaded(Tagging(), PHASE, plan=BY_ID)) == []
    assert kinds(loaded(Mixing(), PHASE, plan=BY_ID)) == [("contradicted", 1)] * 20


def test_where_a_page_goes_on_is_said_as_it_was_told() -> None:
    """Also with what means something in a URL."""

    class Opaque(Notebook):
        def answer(self, head: str, body: bytes) -> tuple[int, Any]:
            return super().answer(head.replace("after=a%26b%3D%20", "after="), body)

        def page(self, after: int) -> tuple[int, Any]:
            status, page = super().page(after)
            following = None if page["next"] is None else f"a&b= {page['next']}"
            return status, {**page, "next": following}

    assert kinds(loaded(Opaque(), PHASE)) == []
