"""Cursors and limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotplane.errors import InvalidCursor
from hotplane.storage.filters import decode_cursor, encode_cursor

_SEQUENCES = st.integers(min_value=0, max_value=2**63 - 1)


@given(_SEQUENCES)
def test_a_cursor_leads_back(sequence):
    """Decoding undoes encoding."""
    assert decode_cursor(encode_cursor(sequence)) == sequence


@given(_SEQUENCES, st.integers(min_value=0, max_value=15), st.sampled_from("ABCxyz019-_"))
def test_a_changed_cursor_is_refused(sequence, place, letter):
    """Changing one letter does not lead to another page."""
    cursor = encode_cursor(sequence)
    changed = cursor[:place] + letter + cursor[place + 1 :]
    if changed != cursor:
        with pytest.raises(InvalidCursor):
            decode_cursor(changed)


@given(st.text(max_size=40))
def test_any_other_text_is_refused(text):
    """Whatever a caller sends is a cursor or an error of its own kind."""
    with pytest.raises(InvalidCursor):
        decode_cursor(text)
