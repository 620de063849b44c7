"""The beginning of a plugin is written whole, or not at all."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from hotplane.cli import main
from hotplane.cli.plugin_new import KindOption
from hotplane.scaffold import CannotBegin, NewKind, begin_plugin, writing


@pytest.mark.parametrize("kind", NewKind)
def test_every_kind_has_all_its_files(kind: NewKind, tmp_path: Path):
    """Package, tests, README, and nothing that was left to be filled in."""
    place = begin_plugin("my-plugin", kind, tmp_path)
    files = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    package = "src/my_plugin"
    wanted = {"README.md", "pyproject.toml", "tests/test_plugin.py"}
    wanted |= {f"{package}/{name}" for name in ("__init__.py", "plugin.py", "py.typed")}
    assert files - {f"{package}/kind.py"} == wanted
    for path in files:
        assert "$module" not in (place / path).read_text()
        assert "$name" not in (place / path).read_text()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "is no name"),
        ("Shouting", "is no name"),
        ("no_shouting", "is no name"),
        ("../escape", "is no name"),
        ("-x", "is no name"),
        ("x--y", "is no name"),
        ("1st", "is no name"),
        ("x\n", "is no name"),
        ("é", "is no name"),
        ("x" * 41, "40 characters at most"),
        ("class", "a word or a module of Python"),
        ("match", "a word or a module of Python"),
        ("json", "a word or a module of Python"),
        ("events", "a name that Hotplane"),
        ("hotplane", "a name that Hotplane"),
        ("local", "the name of a plugin that ships"),
    ],
)
def test_a_bad_name_is_refused(name: str, words: str, tmp_path: Path):
    """The message says why, and nothing was written."""
    with pytest.raises(CannotBegin, match=words):
        begin_plugin(name, NewKind.VALIDATOR, tmp_path, taken={"local": "a plugin that ships"})
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_left_alone(tmp_path: Path):
    """A folder with something in it, a file, and a link are refused; an empty folder is filled."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("precious")
    (tmp_path / "file").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    for name in ("full", "file", "link"):
        with pytest.raises(CannotBegin, match="exists already"):
            begin_plugin(name, NewKind.SAMPLER, tmp_path)
    assert (tmp_path / "full" / "mine.txt").read_text() == "precious"
    assert begin_plugin("empty", NewKind.SAMPLER, tmp_path).joinpath("README.md").exists()


def test_a_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A full disk, say: neither the folder nor what it was written in."""

    def fill(folder: Path, name: str, kind: NewKind) -> None:
        (folder / "half.py").write_text("x = ")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "_fill", fill)
    with pytest.raises(CannotBegin, match="No space left"):
        begin_plugin("half", NewKind.RUNNER, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_its_folder_can_be_read_like_any_other(tmp_path: Path):
    """It was made as a private folder, and is none."""
    (tmp_path / "other").mkdir()
    place = begin_plugin("mine", NewKind.CUSTOM, tmp_path)
    assert stat.S_IMODE(place.stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_the_command_knows_the_kinds_of_the_scaffold():
    """The option repeats them, so that a help text loads nothing."""
    assert [each.value for each in KindOption] == [each.value for each in NewKind]


def test_the_command_says_what_comes_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """0 with the next step; 2 with the reason for a name that cannot be."""
    assert main(["plugins", "new", "my-rule", "--kind", "validator", "--into", str(tmp_path / "new")]) == 0
    assert "my-rule is begun" in capsys.readouterr().out
    assert main(["plugins", "new", "local", "--kind", "runner", "--into", str(tmp_path)]) == 2
    assert "'local' is the name of a plugin that ships with Hotplane" in capsys.readouterr().err
    assert main(["plugins", "new", "x", "--kind", "other", "--into", str(tmp_path)]) == 2
