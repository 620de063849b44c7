"""Run with ``python -m examples.client.batch [FILE]``: a file of messages through one task, without asyncio."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from hotplane.client import Client

MESSAGES = Path(__file__).parents[1] / "spam" / "messages.jsonl"


def main(file: Path = MESSAGES) -> None:
    """Upload the file, count the labels as results come, and say how good they are by the sampled ones."""
    with Client() as client:
        batch = client.batch("spam-detector", file, max_concurrency=16)
        labels = Counter(str(result.output) for result in batch.results() if result.ok)
        ended = batch.status()
        print(f"{ended.state}: {ended.counts.succeeded} of {ended.items} succeeded")
        for label, count in sorted(labels.items()):
            print(f"{label}: {count}")
        quality = client.quality("spam-detector", since=ended.created_at)
        if quality.accuracy is not None:
            low, high = quality.accuracy.low, quality.accuracy.high
            print(f"estimated accuracy: {low:.1%} to {high:.1%}, from {quality.judged} judged")


if __name__ == "__main__":
    main(*(Path(each) for each in sys.argv[1:2]))
