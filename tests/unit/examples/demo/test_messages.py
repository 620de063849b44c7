"""Reading the input file."""

from pathlib import Path

import msgspec
import pytest

from examples.demo.failure import DemoFailed
from examples.demo.messages import Message, read_messages


def write(folder: Path, content: bytes) -> Path:
    """Write an input file."""
    path = folder / "in.jsonl"
    path.write_bytes(content)
    return path


def test_labels_are_optional_and_null_is_a_label(tmp_path: Path):
    """A line may lack `expected`, and one with null expects null; blank lines are skipped."""
    path = write(tmp_path, b'{"input": {"text": "a"}}\n\n{"id": "x", "input": 1, "expected": null}\r\n')
    assert read_messages(path) == [Message({"text": "a"}), Message(1, None)]


def test_the_request_leaves_the_id_out(tmp_path: Path):
    """What is sent is input and label alone, so that the host mints the id."""
    [message] = read_messages(write(tmp_path, b'{"id": "m1", "input": {"text": "a"}, "expected": "ham"}'))
    assert msgspec.json.encode(message) == b'{"input":{"text":"a"},"expected":"ham"}'


@pytest.mark.parametrize("line", [b"hello", b"[1]", b'{"text": "a"}', b'{"input": NaN}', b'{"input": "\xff"}', b"{"])
def test_a_bad_line_is_named(tmp_path: Path, line: bytes):
    """The message says which line is wrong and what a line looks like."""
    path = write(tmp_path, b'{"input": 1}\n' + line + b"\n")
    with pytest.raises(DemoFailed, match=r"in\.jsonl:2: .*Every line is a JSON object like"):
        read_messages(path)


def test_a_missing_file_is_named(tmp_path: Path):
    """The message says which file and why."""
    with pytest.raises(DemoFailed, match=r"nowhere\.jsonl cannot be read: No such file"):
        read_messages(tmp_path / "nowhere.jsonl")


def test_a_folder_is_no_input(tmp_path: Path):
    """A folder is refused as the system words it."""
    with pytest.raises(DemoFailed, match="Is a directory"):
        read_messages(tmp_path)


def test_an_empty_file_is_no_input(tmp_path: Path):
    """A file of blank lines has no messages."""
    with pytest.raises(DemoFailed, match="no messages"):
        read_messages(write(tmp_path, b"\n \n"))
