"""The detector: its sample, its accuracy there and on messages it has never seen."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from time import thread_time

import pytest

from examples.spam import classify, detect
from examples.spam.detector import MESSAGES, load, train
from examples.spam.features import features
from tests.pace import in_time

UNSEEN = Path(__file__).parents[5] / "shared" / "data" / "sms-messages.jsonl"
needs_unseen = pytest.mark.skipif(not UNSEEN.exists(), reason="the 4 000 real messages are not beside the repository")
FOLDS = 5


def test_the_sample_is_large_and_holds_a_third_of_spam():
    """There are at least 320 different messages, 30 to 40 % of them spam."""
    messages = load()
    share = Counter(label for _, label in messages)["spam"] / len(messages)
    assert len({text for text, _ in messages}) == len(messages) >= 320
    assert 0.30 <= share <= 0.40


def test_every_line_of_the_sample_has_an_id_of_its_own():
    """The file can serve as input of the demo: id, input and expected label on every line."""
    lines = [json.loads(line) for line in MESSAGES.read_text(encoding="utf-8").splitlines()]
    assert all(line.keys() == {"id", "input", "expected"} and line["input"].keys() == {"text"} for line in lines)
    assert len({line["id"] for line in lines}) == len(lines)


def test_cross_validation_on_the_sample_stays_above_its_floor():
    """Trained on four fifths, the detector labels at least 95 % of the remaining fifth, whichever that is."""
    messages = load()
    right = 0
    for fold in range(FOLDS):
        model = train(message for index, message in enumerate(messages) if index % FOLDS != fold)
        right += sum((model.log_odds(features(text)) > 0) == (label == "spam") for text, label in messages[fold::FOLDS])
    assert right / len(messages) >= 0.95


@needs_unseen
def test_real_messages_are_labelled_well():
    """At least 96 % of 4 000 real messages, never used for training, get the right label, and most spam is found."""
    messages = load(UNSEEN)
    verdicts = Counter((label, classify({"text": text})) for text, label in messages)
    assert (verdicts["ham", "ham"] + verdicts["spam", "spam"]) / len(messages) >= 0.96
    assert verdicts["spam", "spam"] / (verdicts["spam", "spam"] + verdicts["spam", "ham"]) >= 0.90


@needs_unseen
def test_the_sample_is_not_copied():
    """No message shares five words in a row with more than a handful of the real ones, and none is the same."""
    real = {shingle for text, _ in load(UNSEEN) for shingle in _shingles(text)}
    assert not [text for text, _ in load() if len(_shingles(text) & real) > 1]


@pytest.mark.parametrize("text", ["", " ", "…", "1234567890" * 100, "🎉" * 50, "\x00", "a" * 100_000])
def test_any_text_gets_a_label(text: str):
    """However odd, a text is labelled and scored between 0 and 1."""
    found = detect({"text": text})
    assert found["label"] == classify({"text": text})
    assert 0.0 <= found["score"] <= 1.0


def test_details_agree_with_the_label_and_name_their_reasons():
    """Spam scores above one half, and what gave it away is named in words."""
    found = detect({"text": "You WIN a £500 prize! Claim at www.prizes.example now!"})
    assert found["label"] == "spam"
    assert found["score"] > 0.5
    assert "an amount of money" in found["reasons"]


def test_hams_about_money_and_prizes_stay_ham():
    """A friend may mention money, a prize or something free."""
    texts = ["I won a fiver on the raffle, drinks are on me", "Are you free on Sunday?", "Owe you £6 for lunch, mate"]
    assert [classify({"text": text}) for text in texts] == ["ham"] * 3


def test_training_takes_a_moment():
    """Training on the whole sample takes under 100 ms, so that import may do it."""
    best = min(_seconds_to_train() for _ in range(5))
    assert in_time(best, 0.1)


def test_the_program_needs_only_the_standard_library():
    """A worker that has nothing installed can import the detector."""
    root = Path(__file__).parents[4]
    code = "from examples.spam import classify; print(classify({'text': 'see you at eight'}))"
    result = subprocess.run([sys.executable, "-S", "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "ham", result.stderr


def _seconds_to_train() -> float:
    began = thread_time()
    train(load())
    return thread_time() - began


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[index : index + 5]) for index in range(len(words) - 4)}
