"""What the scorer alone costs, of the texts that are inserted; by a probe.

Prints the CPU microseconds of a text, round by round.
"""

from __future__ import annotations

import time

from actors.systems.tweets.config import TweetsConfig
from actors.systems.tweets.messages import ScoreTexts
from actors.systems.tweets.sentiment import SentimentService
from tests.benchmarks.insert_texts import insert_texts
from tests.benchmarks.probe import probed


async def measure(*, rounds: int) -> list[float]:
    """Score them all once a round, after a round that loads the lexicon."""
    service = SentimentService(chars_max=TweetsConfig().scored_chars_max)
    questions = [ScoreTexts(texts=[text]) for text in insert_texts()]
    found = []
    for _ in range(rounds + 1):
        began_s = time.process_time()
        for question in questions:
            service.score(question)
        found.append((time.process_time() - began_s) / len(questions) * 1e6)
    return found[1:]


if __name__ == "__main__":
    probed(measure)
