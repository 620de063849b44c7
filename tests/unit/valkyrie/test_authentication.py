"""Secrets are checked when read, and a proof depends on everything it covers."""

from pathlib import Path

import pytest

from hotplane.log import capture_logs
from hotplane.valkyrie import InvalidSecret
from hotplane.valkyrie.authentication import load_secret, proof

PARTS = {"client_nonce": b"c" * 32, "server_nonce": b"s" * 32, "client_hello": b"hello", "server_hello": b"olleh"}


@pytest.mark.parametrize("part", list(PARTS))
def test_a_proof_depends_on_every_part(part: str):
    """One changed byte in a nonce or a hello makes another proof."""
    changed = {**PARTS, part: b"x" + PARTS[part][1:]}
    assert proof(b"k" * 16, "client", **changed) != proof(b"k" * 16, "client", **PARTS)


def test_a_proof_depends_on_role_and_secret():
    """The server's proof is not the client's, and another secret makes another proof."""
    own = proof(b"k" * 16, "client", **PARTS)
    assert own != proof(b"k" * 16, "server", **PARTS)
    assert own != proof(b"l" * 16, "client", **PARTS)


def test_bytes_cannot_move_between_the_hellos():
    """The lengths are covered too."""
    moved = {**PARTS, "client_hello": b"hell", "server_hello": b"oolleh"}
    assert proof(b"k" * 16, "client", **moved) != proof(b"k" * 16, "client", **PARTS)


def test_white_space_around_a_secret_is_dropped(tmp_path: Path):
    """A trailing newline in the file does not matter."""
    file = tmp_path / "secret"
    file.write_bytes(b"0123456789abcdef\n")
    file.chmod(0o600)
    with capture_logs() as logs:
        assert load_secret(file) == b"0123456789abcdef"
    assert logs == []


def test_a_secret_that_others_can_read_is_warned_of(tmp_path: Path):
    """The warning names the file and the remedy, never the secret."""
    file = tmp_path / "secret"
    file.write_bytes(b"0123456789abcdef")
    file.chmod(0o644)
    with capture_logs() as logs:
        load_secret(file)
    assert logs[0]["event"] == "secret_file_readable_by_others"
    assert logs[0]["advice"] == f"chmod 600 {file}"
    assert "0123456789abcdef" not in str(logs)


@pytest.mark.parametrize(("content", "reason"), [(b"short", "fewer than 16"), (b"x" * 5000, "more than 4096")])
def test_a_secret_of_the_wrong_length_is_refused(tmp_path: Path, content: bytes, reason: str):
    """Too short could be guessed, too long is not a secret."""
    file = tmp_path / "secret"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(InvalidSecret, match=reason):
        load_secret(file)


def test_a_missing_secret_file_is_named(tmp_path: Path):
    """The message says which file cannot be read."""
    with pytest.raises(InvalidSecret, match="nowhere cannot be read"):
        load_secret(tmp_path / "nowhere")
