"""Reading a body costs no more memory than its limit."""

import gzip
import tracemalloc

import pytest

from hotplane.network import AnswerTooLarge
from hotplane.network.reading import read_body


async def chunks(*parts):
    """Give the parts one by one."""
    for part in parts:
        yield part


async def test_a_bomb_is_not_unpacked_beyond_the_limit():
    """Fifty kilobytes that unpack to fifty megabytes cost about the limit, however they are cut."""
    packed = gzip.compress(b"\0" * 50_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(AnswerTooLarge):
            await read_body(chunks(packed), "gzip", limit=100_000, origin="http://a:80")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


async def test_exactly_the_limit_is_enough():
    """Plain and packed, in one piece and in single bytes."""
    body = b"eggs" * 250
    packed = gzip.compress(body)
    for parts, encoding in (
        ((body,), ""),
        ((packed,), "gzip"),
        ([packed[i : i + 1] for i in range(len(packed))], "GZIP "),
    ):
        assert await read_body(chunks(*parts), encoding, limit=1_000, origin="http://a:80") == body
