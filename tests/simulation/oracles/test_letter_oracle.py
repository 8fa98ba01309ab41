"""What the oracle of letters takes for gone, and what for lost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from actors.errors import DeadLettered
from actors.service.letters import DiscardLetter
from actors.simulation.oracles.handled import Handled, Run
from actors.simulation.oracles.letter_oracle import LetterOracle
from actors.store.messaging.origin import LetterOrigin
from actors.systems.tweets.messages import ListTweets

LETTER = "letter-1"
MESSAGE = ListTweets(limit=1)


def handled(
    outcome: Any,
    *,
    message: Any = MESSAGE,
    letter_id: str = LETTER,
    origin: LetterOrigin | None = None,
    run: Run | None = None,
) -> Handled:
    """One message, for which no handler was called if there is no `run`."""
    envelope: Any = SimpleNamespace(message=message, origin=origin, letter_id=letter_id, key="k1")
    return Handled(
        store="tweets",
        envelope=envelope,
        run=run,
        outcome=outcome,
        stands=True,
        keeps=True,
        now_us=0,
        at_s=0.0,
    )


def test_a_letter_whose_client_has_asked_again_is_gone_when_it_is_replayed() -> None:
    """Its key knows the reply: it is not run once more, and not lost either."""
    oracle = LetterOracle(letters_max=10)
    assert not [*oracle.hear("tweets", [handled(DeadLettered("three times"))])]
    assert list(oracle.left({"tweets": []}))
    assert not [*oracle.hear("tweets", [handled("the reply", origin=LetterOrigin(LETTER, None))])]
    assert not list(oracle.left({"tweets": []}))


def test_what_is_discarded_or_goes_for_a_newer_one_is_let_go() -> None:
    """As who looks at what became of it has to know; what was replayed is not."""
    oracle = LetterOracle(letters_max=1)
    newer = ListTweets(limit=2)
    assert not [*oracle.hear("tweets", [handled(DeadLettered("three times"))])]
    assert oracle.let_go == []
    second = handled(DeadLettered("three times"), message=newer, letter_id="letter-2")
    assert not [*oracle.hear("tweets", [second])]
    assert oracle.let_go == [("tweets", MESSAGE)]
    discard = DiscardLetter(letter_id="letter-2")
    for _ in range(2):  # the second is told that there is none
        assert not [*oracle.hear("tweets", [handled(None, message=discard, run=Run(0))])]
    assert oracle.let_go == [("tweets", MESSAGE), ("tweets", newer)]
    assert not list(oracle.left({"tweets": []}))
    assert not [*oracle.hear("tweets", [handled(DeadLettered("three times"))])]
    assert not [*oracle.hear("tweets", [handled("the reply", origin=LetterOrigin(LETTER, None))])]
    assert len(oracle.let_go) == 2


def test_what_crashes_again_when_it_is_replayed_is_the_letter_that_it_was() -> None:
    """And so is what is buried again, for nobody has heard that it was."""
    oracle = LetterOracle(letters_max=10)
    first = handled(DeadLettered("three times"))
    assert not [*oracle.hear("tweets", [first, first])]
    again = handled(DeadLettered("once more"), origin=LetterOrigin(LETTER, None))
    assert not [*oracle.hear("tweets", [again])]
    again.envelope.letter_id = first.envelope.letter_id = "letter-2"
    told = [*oracle.hear("tweets", [again]), *oracle.hear("tweets", [first])]
    assert told == 2 * ["tweets: ListTweets is the dead letter letter-1, and letter-2 as well"]
