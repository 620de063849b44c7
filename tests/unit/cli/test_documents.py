"""What a command is given: JSON in an argument, a file or stdin, and tasks as JSON or YAML."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from hotplane.cli import documents
from hotplane.cli.documents import json_argument, mapping_of, placed, read_mapping, read_text
from hotplane.cli.failure import BadInput, ServerRefused
from hotplane.errors import Problem


def give(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """Have stdin hold this."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.mark.parametrize(("text", "value"), [("null", None), ('"é"', "é"), ("1.0", 1.0), ('{"a": [1]}', {"a": [1]})])
def test_an_argument_is_json(text: str, value: object):
    """It means itself."""
    assert json_argument(text, "The input") == value


def test_an_argument_may_name_a_file_or_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A byte order mark, which Windows writes, is no part of it."""
    (tmp_path / "x.json").write_bytes(b'\xef\xbb\xbf{"a": 1}\n')
    give(monkeypatch, b"[1, 2]")
    assert json_argument(f"@{tmp_path / 'x.json'}", "The input") == {"a": 1}
    assert json_argument("-", "The input") == [1, 2]


@pytest.mark.parametrize("text", ["", "{", "NaN", "'a'", "[1,]", '"\\ud800"', "hello"])
def test_what_is_not_json_is_refused(text: str):
    """The message shows how it is quoted for a shell."""
    with pytest.raises(BadInput, match=r"The input is not JSON: .* Quote it for the shell"):
        json_argument(text, "The input")


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a\n\xe9"])
def test_what_is_not_utf_8_is_refused(tmp_path: Path, data: bytes):
    """The problem has the line."""
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(BadInput, match="not UTF-8") as refused:
        read_text(str(tmp_path / "x"))
    assert refused.value.problems[0].line == data.count(b"\n") + 1


@pytest.mark.parametrize("name", ["missing", ".", "a\0b"])
def test_a_file_that_cannot_be_read_is_refused(name: str):
    """With the system's reason."""
    with pytest.raises(BadInput, match="cannot be read: "):
        read_text(name)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It is not read to its end."""
    monkeypatch.setattr(documents, "MAX_BYTES", 10)
    (tmp_path / "x").write_text("x" * 11, "utf-8")
    with pytest.raises(BadInput, match="larger than 10 bytes"):
        read_text(str(tmp_path / "x"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.yaml", "id: a\nsampling_rate: 0.5\n"),
        ("t.json", '{\n\t"id": "a",\n\t"sampling_rate": 0.5\n}'),
        ("t", '{\n\t"id": "a",\n\t"sampling_rate": 0.5\n}'),
        ("t", "id: a\nsampling_rate: 0.5"),
    ],
)
def test_a_task_is_json_or_yaml(tmp_path: Path, name: str, text: str):
    """The ending tells, or the first character; both give the same value."""
    (tmp_path / name).write_text(text, "utf-8")
    assert mapping_of(read_mapping(str(tmp_path / name))) == {"id": "a", "sampling_rate": 0.5}


def test_a_refusal_is_shown_at_the_lines_of_the_file(tmp_path: Path):
    """The server knows pointers only."""
    file = tmp_path / "t.yaml"
    file.write_text("id: a\nschema:\n  type: nothing\n", "utf-8")
    refusal = ServerRefused("No", "no", status=422, kind="x", problems=[Problem("wrong", "/schema/type")])
    [problem] = placed(refusal, read_mapping(str(file))).problems
    assert str(problem) == f"{file}:3: wrong (at /schema/type)"
