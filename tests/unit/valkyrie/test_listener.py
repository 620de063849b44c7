"""Listening sockets: whose they are, and what is in the way."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotplane.valkyrie import AddressInUse, Endpoint
from hotplane.valkyrie.listener import UnixSocket, open_tcp


def at(path: Path) -> Endpoint:
    """Return the endpoint of a path."""
    return Endpoint.parse(f"unix://{path}")


@pytest.fixture
def listening() -> Iterator[list[UnixSocket]]:
    """Sockets that are closed after the test."""
    made: list[UnixSocket] = []
    yield made
    for each in made:
        each.socket.close()


def test_a_path_is_taken_over_from_the_dead_alone(tmp_path: Path, listening: list[UnixSocket]):
    """A server that listens is left alone; its file, once it is gone, is replaced."""
    path = tmp_path / "x.sock"
    listening.append(UnixSocket(at(path), 5))
    with pytest.raises(AddressInUse, match="another server listens there"):
        UnixSocket(at(path), 5)
    listening[0].socket.close()
    listening.append(UnixSocket(at(path), 5))
    assert path.stat().st_mode & 0o777 == 0o600
    listening[0].remove()  # it is not ours any more
    assert path.exists()
    for _ in range(2):
        listening[1].remove()
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [("file", "not a socket"), ("file/x.sock", "Not a directory"), ("nowhere/x.sock", "No such file")],
)
def test_what_is_in_the_way_is_told(tmp_path: Path, name: str, reason: str):
    """A file that is none of ours or a path that leads nowhere."""
    (tmp_path / "file").write_text("precious")
    with pytest.raises(AddressInUse, match=reason):
        UnixSocket(at(tmp_path / name), 5)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "precious"


def test_somebody_who_may_not_be_asked_is_there(
    tmp_path: Path, listening: list[UnixSocket], monkeypatch: pytest.MonkeyPatch
):
    """A socket that refuses us by its permissions is not a dead one."""
    listening.append(UnixSocket(at(tmp_path / "x.sock"), 5))

    class Forbidden(socket.socket):
        def connect(self, address: object) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "socket", Forbidden)
    with pytest.raises(AddressInUse, match="another server"):
        UnixSocket(at(tmp_path / "x.sock"), 5)


def test_every_address_of_a_name_gets_the_same_port():
    """A port that one of them cannot have closes what was opened for the others."""
    opened = open_tcp(Endpoint.parse("tcp://localhost:0"), 5)
    ports = {each.getsockname()[1] for each in opened}
    assert len(ports) == 1
    with pytest.raises(AddressInUse):
        open_tcp(Endpoint.parse(f"tcp://localhost:{ports.pop()}"), 5)
    for each in opened:
        each.close()


def test_a_name_that_nobody_knows():
    """The reason is the resolver's."""
    with pytest.raises(AddressInUse, match="nowhere"):
        open_tcp(Endpoint.parse("tcp://nowhere.invalid:1"), 5)
