"""How long X's longest post takes to be scored, at its worst: emoji alone; by a probe.

Prints the seconds of each round.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from actors.systems.tweets.config import TweetsConfig
from actors.systems.tweets.messages import ScoreTexts, ScoreTweet
from actors.systems.tweets.sentiment import SentimentService
from actors.systems.tweets.tweets import TweetsService
from tests.benchmarks.probe import probed

if TYPE_CHECKING:
    from actors.systems.tweets.messages import Score

TEXT = "\U0001f600" * 25_000


async def measure(*, rounds: int) -> list[float]:
    config = TweetsConfig()
    sentiment = SentimentService(chars_max=config.scored_chars_max)

    async def ask(_service: str, question: ScoreTexts) -> list[Score]:
        return sentiment.score(question)

    service = TweetsService(config, ask)  # type: ignore[arg-type]
    took_s = []
    for text in (TEXT[:1000], *[TEXT] * rounds):  # the first loads the lexicon
        begun_s = time.perf_counter()
        await service.score([ScoreTweet(tweet_id="t", text=text)])
        took_s.append(time.perf_counter() - begun_s)
    return took_s[1:]


if __name__ == "__main__":
    probed(measure)
