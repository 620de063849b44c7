"""Both sides end the handshake knowing each other, or with a reason that a person can read."""

from dataclasses import replace

import msgspec
import pytest

from hotplane.valkyrie import HandshakeRefused, PeerNotTrusted, ProtocolViolation
from hotplane.valkyrie.handshake import ClientHandshake, Introduction, Refusal, ServerHandshake
from hotplane.valkyrie.messages import ClientHello, Proof, ServerHello, decode_greeting, encode

SECRET = b"a secret of 24 bytes ..."
CLIENT = Introduction("client", 65_536, secret=SECRET)
SERVER = Introduction("server", 131_072, window=7, secret=SECRET, capabilities=("x",))


def shake(client: ClientHandshake, server: ServerHandshake) -> None:
    """Carry the frames of one handshake between both sides."""
    frame: bytes | None = client.hello
    while frame is not None and client.peer is None:
        frame = client.receive(server.receive(frame))


def pair(client: Introduction = CLIENT, server: Introduction = SERVER) -> tuple[ClientHandshake, ServerHandshake]:
    """Return both sides, before the first frame."""
    return ClientHandshake("tcp://x:1", client), ServerHandshake(server)


def edited(frame: bytes, **changes: object) -> bytes:
    """Return the frame as somebody on the way would change it."""
    hello = decode_greeting(frame)
    return encode(msgspec.structs.replace(hello, **changes))


@pytest.mark.parametrize("secret", [SECRET, None])
def test_both_sides_learn_of_each_other(secret: bytes | None):
    """Names, limits and the version are known to both, and whether they were proven."""
    client, server = pair(replace(CLIENT, secret=secret), replace(SERVER, secret=secret))
    shake(client, server)
    assert client.peer is not None
    assert server.peer is not None
    assert (client.peer.name, client.peer.window, client.peer.max_frame) == ("server", 7, 131_072)
    assert (server.peer.name, server.peer.max_frame, server.peer.version) == ("client", 65_536, 1)
    assert client.peer.authenticated is server.peer.authenticated is (secret is not None)
    assert client.peer.capabilities == ("x",)


@pytest.mark.parametrize(
    ("ours", "theirs", "chosen"), [((1,), (1,), 1), ((1, 2), (2, 1), 2), ((1, 2, 3), (2, 4), 2), ((3, 1), (1, 2), 1)]
)
def test_the_highest_common_version_wins(ours: tuple[int, ...], theirs: tuple[int, ...], chosen: int):
    """Whatever the order of the lists."""
    client, server = pair(replace(CLIENT, versions=ours), replace(SERVER, versions=theirs))
    shake(client, server)
    assert client.peer is not None
    assert client.peer.version == chosen


def test_without_a_common_version_both_lists_are_named():
    """The refusal says what each side speaks, on both sides."""
    client, server = pair(replace(CLIENT, versions=(3, 2)), replace(SERVER, versions=(1,)))
    with pytest.raises(Refusal, match="server speaks 1, the client speaks 2, 3") as refused:
        server.receive(client.hello)
    with pytest.raises(HandshakeRefused, match="speaks 1, the client speaks 2, 3") as caught:
        client.receive(refused.value.frame)
    assert caught.value.refusal == "version"
    assert caught.value.executed == "no"


def test_a_wrong_secret_is_refused_by_the_server():
    """The client proves itself first, so it is the server that finds out."""
    client, server = pair(client=replace(CLIENT, secret=b"another secret of mine"))
    answer = client.receive(server.receive(client.hello))
    assert answer is not None
    with pytest.raises(Refusal, match="not the same on both sides"):
        server.receive(answer)
    assert server.peer is None


@pytest.mark.parametrize(("mine", "other"), [(SECRET, None), (None, SECRET)])
def test_authentication_on_one_side_only_is_refused(mine: bytes | None, other: bytes | None):
    """Neither side goes on without what the other one needs."""
    client, server = pair(replace(CLIENT, secret=mine), replace(SERVER, secret=other))
    with pytest.raises(Refusal, match="secret_file"):
        server.receive(client.hello)


def test_a_server_that_wants_no_proof_is_not_trusted():
    """A client with a secret does not talk with a server that has none, whatever the server says."""
    client = ClientHandshake("tcp://x:1", CLIENT)
    anonymous = ServerHandshake(replace(SERVER, secret=None))
    hello = edited(client.hello, authentication="none")
    with pytest.raises(PeerNotTrusted, match="authentication 'none'"):
        client.receive(anonymous.receive(hello))


def test_a_downgrade_of_the_version_is_noticed():
    """Taking a version out of the client's hello on the way makes the proofs differ."""
    client, server = pair(replace(CLIENT, versions=(1, 2)), replace(SERVER, versions=(1, 2)))
    changed = server.receive(edited(client.hello, versions=(1,)))
    with pytest.raises(PeerNotTrusted, match="not the highest common"):
        client.receive(changed)


def test_a_downgrade_of_both_hellos_is_noticed():
    """Editing both hellos consistently is found out by the proof, because the very bytes are covered."""
    client, server = pair(replace(CLIENT, versions=(1, 2)), replace(SERVER, versions=(1, 2)))
    changed = edited(server.receive(edited(client.hello, versions=(1,))), versions=(1,))
    answer = client.receive(changed)
    assert answer is not None
    with pytest.raises(Refusal):
        server.receive(answer)


@pytest.mark.parametrize("field", ["name", "max_frame", "window", "capabilities"])
def test_any_edit_of_the_servers_hello_is_noticed(field: str):
    """Limits and names cannot be changed on the way either."""
    client, server = pair()
    values = {"name": "mallory", "max_frame": 1, "window": 1, "capabilities": ()}
    answer = client.receive(edited(server.receive(client.hello), **{field: values[field]}))
    assert answer is not None
    with pytest.raises(Refusal):
        server.receive(answer)


def test_a_proof_sent_back_is_worthless():
    """Reflection: the client's own proof does not pass for the server's."""
    client, server = pair()
    own = client.receive(server.receive(client.hello))
    assert own is not None
    with pytest.raises(PeerNotTrusted, match="does not know the shared secret"):
        client.receive(own)


def test_a_hello_sent_back_is_out_of_place():
    """Reflection: a server that only echoes is not one."""
    client, _ = pair()
    with pytest.raises(ProtocolViolation, match="ClientHello is out of place"):
        client.receive(client.hello)


def test_a_repeated_nonce_is_refused_by_both_sides():
    """Nonces that are equal could only come from a mirror."""
    client, server = ClientHandshake("x", CLIENT, nonce=b"n" * 32), ServerHandshake(SERVER, nonce=b"n" * 32)
    with pytest.raises(Refusal, match="nonce"):
        server.receive(client.hello)
    other = ServerHandshake(SERVER).receive(client.hello)
    with pytest.raises(PeerNotTrusted, match="our own nonce"):
        client.receive(edited(other, nonce=b"n" * 32))


def test_a_recorded_handshake_cannot_be_replayed():
    """The same hello and proof, sent to another handshake of the same server, are refused."""
    client, server = pair()
    recorded = client.receive(server.receive(client.hello))
    assert recorded is not None
    server.receive(recorded)
    second = ServerHandshake(SERVER)
    second.receive(client.hello)
    with pytest.raises(Refusal):
        second.receive(recorded)


def test_a_proof_before_the_hello_is_out_of_place():
    """Nobody proves anything before both have introduced themselves."""
    with pytest.raises(ProtocolViolation, match="Proof is out of place"):
        ServerHandshake(SERVER).receive(encode(Proof(b"x" * 32)))


def test_a_second_hello_is_out_of_place():
    """A client introduces itself once."""
    client, server = pair()
    server.receive(client.hello)
    with pytest.raises(ProtocolViolation, match="ClientHello is out of place"):
        server.receive(client.hello)


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x91\x63", b"\x91\x01", b"\x93\x10\x01\x02", b"\xa5hello"])
def test_garbage_is_a_violation_and_no_crash(body: bytes):
    """What is no greeting ends the handshake with a reason."""
    with pytest.raises(ProtocolViolation, match="malformed"):
        ServerHandshake(SERVER).receive(body)


def test_fields_of_later_versions_are_ignored():
    """A longer hello is understood as far as it is known."""
    client, server = pair(replace(CLIENT, secret=None), replace(SERVER, secret=None))
    longer = msgspec.msgpack.encode([*msgspec.msgpack.decode(client.hello), "later", {"a": 1}])
    server.receive(longer)
    assert server.peer is not None


def test_another_magic_word_is_refused():
    """An array that resembles a hello is not one."""
    client, server = pair()
    with pytest.raises(ProtocolViolation, match="not a Valkyrie hello"):
        server.receive(edited(client.hello, magic="walhalla"))
    with pytest.raises(ProtocolViolation, match="not a Valkyrie hello"):
        client.receive(edited(server.receive(client.hello), magic="walhalla"))


def test_the_secret_is_never_sent():
    """No frame of a handshake holds it."""
    client, server = pair()
    first = server.receive(client.hello)
    answer = client.receive(first)
    assert answer is not None
    frames = [client.hello, first, answer, server.receive(answer)]
    assert not any(SECRET in frame for frame in frames)
    assert {type(decode_greeting(frame)) for frame in frames} == {ClientHello, ServerHello, Proof}
