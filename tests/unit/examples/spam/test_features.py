"""What the detector sees in a message."""

import pytest

from examples.spam.features import SHOUTING, SIGNS, features, words


@pytest.mark.parametrize(
    ("sign", "text"),
    [
        ("a link", "look at www.shop.co.uk/x"),
        ("a link", "shop.example"),
        ("an amount of money", "only £5"),
        ("an amount of money", "Rs. 500 off"),
        ("an amount of money", "2 lakh in a day"),
        ("a long number", "call 0905 555 0123"),
        ("a long number", "call +44-7700-900-142"),
        ("a five-digit short code", "to 80555."),
        ("a price per message, minute or week", "150p/msg"),
        ("a price per message, minute or week", "£3 per week"),
        ("a word to text back", "txt WIN to us"),
        ("a way to opt out", "or STOP"),
        ("an age limit", "16+ only"),
        ("a percentage", "70 % off"),
        ("several exclamation marks", "now! quick!"),
    ],
)
def test_signs_are_seen(sign: str, text: str):
    """Each sign is found in a text that has it."""
    assert sign in features(text)


@pytest.mark.parametrize(
    "text", ["see you at 8 then", "text me when you are there", "ok. will do", "i'll stop by", "got 64 of them"]
)
def test_plain_talk_shows_no_sign(text: str):
    """Everyday words and small numbers are no sign of spam."""
    assert not features(text) & SIGNS.keys()


def test_words_leave_links_and_digits_out():
    """The names of sites are not words, and neither are numbers; both apostrophes are the same."""
    assert words("Don\u2019t visit www.prize.example or 4you, DON'T") == ["don't", "visit", "or", "you", "don't"]


def test_shouting_needs_more_than_a_few_letters():
    """Capitals count in a sentence, not in a short exclamation."""
    assert SHOUTING in features("THIS IS YOUR LAST CHANCE TO REPLY")
    assert SHOUTING not in features("OMG YES")
