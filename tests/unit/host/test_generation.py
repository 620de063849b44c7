"""What a plugin's file does while it is imported: printing, and reading the files beside it."""

from __future__ import annotations

import pytest

from tests.unit.host.conftest import Load, Write


def test_what_is_printed_elsewhere_goes_there(
    write: Write, load: Load, tmp_path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that the plugin names is its own affair: it is neither redirected nor a reason to warn."""
    kept = tmp_path / "kept.txt"
    path = write("mine.py", f"with open({str(kept)!r}, 'w') as file:\n    print('aside', file=file)\n")
    assert load(path).warnings == ()
    assert (kept.read_text(), *capsys.readouterr()) == ("aside\n", "", "")


def test_of_much_that_is_printed_the_first_is_told(
    write: Write, load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of it reaches standard error; a warning is not repeated for ever."""
    warnings = load(write("mine.py", "for n in range(50):\n    print(f'line {n}')\n")).warnings
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("line ")) == ("", 50)
    assert 0 < len(warnings) < 50
    assert "line 0" in warnings[0]


def test_a_package_reads_the_files_beside_it(write: Write, load: Load) -> None:
    """`pkgutil.get_data` works as for any other package."""
    write("pack/data.txt", "data 7")
    path = write("pack/__init__.py", "import pkgutil\ndata = pkgutil.get_data(__name__, 'data.txt')\n")
    assert load(path.parent).module.data == b"data 7"
