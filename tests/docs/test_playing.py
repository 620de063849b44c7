"""The player of documents can fail: what is wrong on a page is found, with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Page
from tests.docs.playing import Player, Wrong

Play = Callable[[str], Path]


@pytest.fixture
def play(tmp_path_factory: pytest.TempPathFactory) -> Play:
    """Plays a page."""

    def of(text: str) -> Path:
        folder = tmp_path_factory.mktemp("played")
        Player(Page(ROOT / "page.md", text.replace("'''", "```")), folder).play()
        return folder / "page"

    return of


def test_a_wrong_output_is_found(play: Play) -> None:
    """The place, what the page says and what came."""
    with pytest.raises(Wrong, match=r"page\.md:2: \$ echo one[\s\S]*two[\s\S]*one"):
        play("'''console\n$ echo one\ntwo\n'''\n")


def test_a_command_that_fails_is_found(play: Play) -> None:
    """Where no output is shown the command has to succeed."""
    with pytest.raises(Wrong, match="ends with 3"):
        play("'''console\n$ (exit 3)\n'''\n")


def test_a_command_may_fail_where_the_page_shows_it(play: Play) -> None:
    """Errors are shown, too."""
    play("'''console\n$ echo no >&2; false\nno\n'''\n")


def test_left_out_parts_fit_anything(play: Play) -> None:
    """Within a line, and whole lines; nothing else."""
    play("'''console\n$ seq 5; echo took 7 ms\n1\n…\n5\ntook … ms\n'''\n")
    with pytest.raises(Wrong):
        play("'''console\n$ seq 5\n1\n…\n6\n'''\n")


def test_commands_share_a_shell_and_programs_an_interpreter(play: Play) -> None:
    """As a reader's would."""
    play("'''console\n$ word=kept\n'''\n\n'''console\n$ echo $word\nkept\n'''\n")
    play("'''python\nword = 'kept'\n'''\n\n'''python\nprint(word)\n'''\n\n'''text\nkept\n'''\n")


def test_a_program_that_prints_something_else_is_found(play: Play) -> None:
    """The block of text behind a program is what it prints."""
    with pytest.raises(Wrong, match="the page says"):
        play("'''python\nprint(1)\n'''\n\n'''text\n2\n'''\n")


def test_a_program_that_raises_is_found(play: Play) -> None:
    """With its traceback."""
    with pytest.raises(Wrong, match="ZeroDivisionError"):
        play("'''python\n1 / 0\n'''\n")


def test_files_are_written_where_the_shell_is(play: Play) -> None:
    """A path above a block and a colon make it a file; what does not load as configuration is found."""
    written = "Write `b/c.txt`:\n\n'''text\nhere\n'''\n"
    play(f"'''console\n$ mkdir a; cd a\n'''\n\n{written}\n'''console\n$ cat b/c.txt\nhere\n'''\n")
    with pytest.raises(Exception, match="programm"):
        play("'''yaml\nplugins: {paths: [a], programms: [b]}\n'''\n")


def test_an_excuse_is_heeded(play: Play) -> None:
    """And what is hidden in a comment is played."""
    play("<!-- not run: it would end the world -->\n'''console\n$ false\n'''\n")
    with pytest.raises(Wrong, match="ends with 1"):
        play("<!-- console\n$ false\n-->\n")


def test_what_serves_ends_with_the_page(play: Play) -> None:
    """A server runs beside, on a port of its own, and is gone afterwards."""
    folder = play(
        "'''console\n$ hotplane serve\nHotplane is ready at http://127.0.0.1:3000\n"
        '$ curl -s http://127.0.0.1:3000/livez\n{"status":"alive"}\n$ echo $served > pid\n\'\'\'\n'
    )
    pid = (folder / "pid").read_text().strip()
    assert not Path(f"/proc/{pid}").exists()
