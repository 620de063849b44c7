"""What people see fits, is plain where nobody watches, and cannot act on their terminal."""

from __future__ import annotations

import io
import sys

import pytest

from hotplane.cli.tables import Column, details, in_color, moment, table, width
from hotplane.cli.text import printable

COLUMNS = (Column("id", "id", whole=True), Column("reason", "why.reason"), Column("calls", "calls", number=True))
ROW = {"id": "a-very-long-identifier", "why": {"reason": "because " * 20}, "calls": 7}


class Terminal(io.StringIO):
    """Says that somebody watches."""

    def isatty(self) -> bool:
        """Return true."""
        return True


def drawn() -> list[str]:
    """Return the lines of a table with one row."""
    return table(COLUMNS, [tuple(column.value(ROW) for column in COLUMNS)]).splitlines()


def test_a_table_fits_the_terminal_and_keeps_ids_whole(monkeypatch: pytest.MonkeyPatch):
    """The long text gives way."""
    monkeypatch.setenv("COLUMNS", "60")
    header, row = drawn()
    assert header.split() == ["ID", "REASON", "CALLS"]
    assert len(row) <= 60
    assert row.startswith("a-very-long-identifier  because")
    assert "…" in row


def test_a_terminal_too_narrow_gets_longer_lines(monkeypatch: pytest.MonkeyPatch):
    """An id that is cut could not be copied."""
    monkeypatch.setenv("COLUMNS", "20")
    assert "a-very-long-identifier" in drawn()[1]


def test_spare_columns_go_before_lines_grow_longer(monkeypatch: pytest.MonkeyPatch):
    """The last one first, and none where cutting is enough."""
    columns = (*COLUMNS, Column("version", "version", spare=True), Column("mean ms", "mean", spare=True))
    row = (ROW["id"], "because " * 20, 7, "1.0", 0.5)
    shown: dict[int, list[str]] = {}
    for columns_wide in (62, 54, 40):
        monkeypatch.setenv("COLUMNS", str(columns_wide))
        header, *rows = table(columns, [row]).splitlines()
        shown[columns_wide] = header.split()[3:]
        assert columns_wide == 40 or max(map(len, rows)) <= columns_wide
    assert shown == {62: ["VERSION", "MEAN", "MS"], 54: ["VERSION"], 40: []}


def test_nothing_is_cut_in_a_pipe(monkeypatch: pytest.MonkeyPatch):
    """Without a terminal and COLUMNS there is room for everything."""
    monkeypatch.delenv("COLUMNS", raising=False)
    assert ("because " * 20).strip() in drawn()[1]
    assert width() > 10_000


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colours_are_for_terminals_that_have_some(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: bool
):
    """NO_COLOR wins when it is not empty."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert in_color() is expected
    assert ("\x1b[" in details([("status", "success")])) is expected


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        ("", "-"),
        (True, "yes"),
        (0, "0"),
        (0.12345, "0.123"),
        (1234.5, "1234"),
        ({"a": [1]}, '{"a": [1]}'),
        ("[red]plain[/red]", "[red]plain[/red]"),
        ("two\nlines", "two\\nlines"),
    ],
)
def test_a_value_is_shown_plainly(value: object, shown: str):
    """Markup is text, and a missing value is a dash."""
    assert details([("x", value)]) == f"x  {shown}\n"


def test_what_would_act_on_a_terminal_is_escaped():
    """Escape sequences, bells and turned text are shown, not done."""
    assert printable("\x1b]0;title\x07 \u202e\x9b2J é") == "\\x1b]0;title\\x07 \\u202e\\x9b2J é"
    assert printable("a\nb\r", keep="\n") == "a\nb\\r"


def test_an_instant_is_shown_in_utc_and_seconds():
    """What is no instant is shown as it is."""
    assert moment("2026-01-31T12:00:00.123456+02:00") == "2026-01-31 10:00:00Z"
    assert moment(None) == "None"
