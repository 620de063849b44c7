"""The published vectors, the specification's reader and the implementation agree, byte for byte."""

import json
from pathlib import Path
from typing import Any

import pytest

from hotplane.valkyrie.authentication import proof
from hotplane.valkyrie.frames import HEADER, FrameReader
from hotplane.valkyrie.messages import MALFORMED, decode_greeting, decode_message, encode
from tests.unit.valkyrie import independent_reader as reader

DOCS = Path(__file__).parents[3] / "docs" / "reference"
VECTORS = DOCS / "valkyrie-vectors"
LIMIT = 16 * 1024 * 1024


def load(name: str) -> Any:
    """Return a file of vectors."""
    return json.loads((VECTORS / f"{name}.json").read_text())


MESSAGES = load("messages")["messages"]
REFUSED = load("refused")["frames"]


@pytest.mark.parametrize("vector", MESSAGES, ids=[vector["name"] for vector in MESSAGES])
def test_a_message_is_encoded_and_decoded_as_published(vector: dict[str, Any]):
    """The implementation writes exactly these bytes, and the independent reader reads what is said of them."""
    frame = bytes.fromhex(vector["hex"])
    (body,) = reader.split_frames(frame)
    decode = decode_greeting if vector["says"]["kind"] == "refused" else decode_message
    assert encode(decode(body)) == body
    assert reader.read_message(body) == vector["says"]
    assert HEADER.pack(len(body)) + body == frame


@pytest.mark.parametrize("vector", REFUSED, ids=[vector["name"] for vector in REFUSED])
def test_a_frame_that_must_be_refused_is(vector: dict[str, Any]):
    """By its length, or by its body, before and after the handshake."""
    frames = FrameReader(LIMIT)
    bodies = frames.feed(bytes.fromhex(vector["hex"]))
    if frames.oversized:
        return
    for decode in (decode_greeting, decode_message):
        with pytest.raises(MALFORMED):
            decode(bodies[0])


def test_the_handshakes_proofs_are_as_published():
    """Implementation and independent reader compute the same proofs from the hello bodies."""
    vector = load("handshake")
    secret, client, server = (
        vector["secret_text"].encode(), *(bytes.fromhex(vector[f"{side}_hello_body"]) for side in ("client", "server")),
    )  # fmt: skip
    for role in ("client", "server"):
        computed = proof(
            secret,
            role,
            client_nonce=bytes.fromhex(vector["client_nonce"]),
            server_nonce=bytes.fromhex(vector["server_nonce"]),
            client_hello=client,
            server_hello=server,
        )
        assert computed.hex() == vector[f"{role}_proof"] == reader.expected_proof(secret, role, client, server)


def test_the_handshakes_frames_are_as_published():
    """The four frames hold the two hellos and the two proofs."""
    vector = load("handshake")
    bodies = [bytes.fromhex(frame["hex"])[4:] for frame in vector["frames"]]
    assert [frame["from"] for frame in vector["frames"]] == ["client", "server", "client", "server"]
    assert bodies[0].hex() == vector["client_hello_body"]
    assert bodies[1].hex() == vector["server_hello_body"]
    assert [reader.read_message(body)["mac"] for body in bodies[2:]] == [vector["client_proof"], vector["server_proof"]]


def test_the_specifications_worked_example_is_the_vector():
    """The bytes printed in the page are those of the file."""
    page = "".join((DOCS / "valkyrie.md").read_text().split())
    vector = load("handshake")
    for field in ("client_hello_body", "server_hello_body", "client_proof", "server_proof"):
        assert vector[field] in page


def test_the_captured_exchange_says_what_is_published():
    """The independent reader decodes the capture, and its proofs verify against the published secret."""
    lines = [line.split() for line in (VECTORS / "exchange.hex").read_text().splitlines() if line[0] != "#"]
    bodies = [reader.split_frames(bytes.fromhex(digits))[0] for _, digits in lines]
    sides = {"C": "client", "S": "server"}
    said = [{"from": sides[side], **reader.read_message(body)} for (side, _), body in zip(lines, bodies, strict=True)]
    assert said == load("exchange")
    secret = load("handshake")["secret_text"].encode()
    for role, message in (("client", said[2]), ("server", said[3])):
        assert message["mac"] == reader.expected_proof(secret, role, bodies[0], bodies[1])
