"""What the oracle of letters takes for gone, and what for lost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from actors.errors import DeadLettered
from actors.simulation.check.handled import Handled
from actors.simulation.check.letter_oracle import LetterOracle
from actors.store.messaging.origin import LetterOrigin
from actors.systems.tweets.messages import ListTweets

LETTER = "letter-1"


def handled(outcome: Any, *, origin: LetterOrigin | None = None) -> Handled:
    """One message that no handler was called for."""
    message = ListTweets(limit=1)
    envelope: Any = SimpleNamespace(message=message, origin=origin, letter_id=LETTER, key="k1")
    return Handled(
        store="tweets",
        envelope=envelope,
        run=None,
        outcome=outcome,
        stands=True,
        keeps=True,
        now_us=0,
        at_s=0.0,
    )


def test_a_letter_whose_client_has_asked_again_is_gone_when_it_is_replayed() -> None:
    """Its key knows the reply: it is not run once more, and not lost either."""
    oracle = LetterOracle(letters_max=10)
    oracle.hear("tweets", [handled(DeadLettered("three times"))])
    assert list(oracle.left({"tweets": []}))
    oracle.hear("tweets", [handled("the reply", origin=LetterOrigin(LETTER, None))])
    assert not list(oracle.left({"tweets": []}))
