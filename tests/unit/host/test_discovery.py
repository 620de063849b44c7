"""Finding plugins without importing them."""

from __future__ import annotations

import os
import py_compile
import sys
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from hotplane.host.discovery import MAX_ENTRIES, Discovery, Origin, discover, find_path
from hotplane.host.distributions import Inventory, inventory, locate, restart_reasons
from hotplane.plugins import Validator
from hotplane.records import PluginMetadata
from tests.unit.host.conftest import VALIDATOR, Write

FULL = """
import nowhere_at_all
from hotplane import plugins

class Settings: ...

class Mine(plugins.Validator[Settings]):
    metadata: object = PluginMetadata(
        name="my-check", version="1.2", requires_host=">=0.1", requires=("other>=1", "third")
    )
"""


class BuiltIn(Validator):
    metadata = PluginMetadata(name="my-check", version="0.1")


def install(write: Write, name: str, version: str, points: str, requires: str = "") -> Path:
    """Write the metadata of an installed distribution and return its site directory."""
    folder = f"site/{name}-{version}.dist-info"
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    write(f"{folder}/METADATA", head + (f"Requires-Dist: {requires}\n" if requires else ""))
    return write(f"{folder}/entry_points.txt", f"[hotplane.plugins]\n{points}\n").parent.parent


def only(discovery: Discovery, count: int = 1) -> Discovery:
    """Return the discovery after a look that it has so many plugins."""
    assert len(discovery.found) == count
    return discovery


class TestDirectories:
    def test_a_directory_with_far_too_much(self, tmp_path: Path) -> None:
        """A path that was set by mistake costs a bounded time, and the operator is told."""
        for number in range(MAX_ENTRIES + 1):
            (tmp_path / f"{number:05}.txt").touch()
        (tmp_path / "00000.py").write_text(VALIDATOR)
        (tmp_path / "zzz.py").write_text(VALIDATOR.replace('"mine"', '"last"'))
        discovery = only(discover(directories=[tmp_path]))
        assert discovery.found[0].path == str(tmp_path / "00000.py")
        assert [problem.message for problem in discovery.problems] == ["only the first 2000 entries are looked at"]

    def test_literal_metadata(self, write: Write) -> None:
        """Metadata, kind and facts of a file are known without importing it."""
        found = find_path(path := write("mine.py", FULL))
        assert (found.name, found.version, found.kind) == ("my-check", "1.2", "validator")
        assert found.declared == "my-check"
        assert (found.requires_host, found.requires) == (">=0.1", ("other>=1", "third"))
        assert (found.class_name, found.source, found.problems) == ("Mine", Origin.DIRECTORY, ())
        assert (found.path, found.size) == (str(path), path.stat().st_size)
        assert found.modified_at is not None
        assert found.modified_at.timestamp() == pytest.approx(path.stat().st_mtime)

    def test_hash_is_the_snapshots(self, write: Write) -> None:
        """The hash covers the bytes: it changes with them, and is hex SHA-256."""
        first = find_path(write("mine.py", FULL)).sha256
        second = find_path(write("mine.py", FULL + "\n")).sha256
        assert first != second
        assert len(first or "") == sha256().digest_size * 2

    def test_files_and_packages(self, write: Write) -> None:
        """Single files and packages count; private, hidden and other entries do not."""
        write("packed/__init__.py", "from packed.part import Mine\n")
        write("packed/part.py", VALIDATOR)
        for name in ("_private.py", ".hidden.py", "notes.txt", "plain/thing.py"):
            write(name, VALIDATOR)
        directory = write("single.py", VALIDATOR.replace('"mine"', '"one"')).parent
        assert [each.name for each in discover(directories=[directory]).found] == ["mine", "one"]

    @pytest.mark.parametrize(
        "metadata",
        ["PluginMetadata(name=NAME, version=version())", "make()", "PluginMetadata(**DATA)", "PluginMetadata('x')"],
    )
    def test_not_literal(self, write: Write, metadata: str) -> None:
        """What is not literal is unknown, not wrong; the file's name stands in for the plugin's."""
        found = find_path(write("mine.py", f"class A(Sampler):\n    metadata = {metadata}\n"))
        assert (found.name, found.declared, found.kind, found.version) == ("mine", None, "sampler", None)
        assert found.problems == ()

    def test_bases_in_the_file(self, write: Write) -> None:
        """A class gets its kind and metadata from bases in the same file, and the bases do not count."""
        text = (
            "class A(Runner): ...\nclass B(A):\n    metadata = PluginMetadata(name='x', version='1')\nclass C(B): ...\n"
        )
        found = find_path(write("mine.py", text))
        assert (found.class_name, found.kind, found.name) == ("C", "runner", "x")

    def test_bases_in_a_circle(self, write: Write) -> None:
        """Classes that name each other as bases do not keep the search going."""
        assert find_path(write("mine.py", "class A(B): ...\nclass B(A): ...\n")).problems == ()

    def test_nothing_is_executed(self, write: Write) -> None:
        """Discovery runs no line of a plugin."""
        path = write("mine.py", VALIDATOR + "import sys\nsys.modules['executed'] = sys\nraise SystemExit\n")
        assert find_path(path).problems == ()
        assert "executed" not in sys.modules


class TestBadInput:
    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            (b"\x7fELF\0\1", "it is not valid Python: source code string cannot contain null bytes (bad.py)"),
            (b"def (:\n", "it is not valid Python: invalid syntax (bad.py, line 1)"),
            (b"x = '\xff'\n", "it is not valid Python: (unicode error) 'utf-8' codec"),
            (b"# coding: klingon\n", "it is not valid Python: "),
            (b"x = " + b"(" * 9000, "it is not valid Python: too many nested parentheses"),
            (b"x = " + b"-" * 200_000 + b"1", "it is not valid Python: "),
            (b"x = 1\n", "it has no plugin class, such as a `Validator`"),
            (b"class A(Validator): ...\n", "it has no `metadata = PluginMetadata(name="),
            (
                b"class A(Validator):\n  metadata = M()\nclass B(Sampler):\n  metadata = M()\n",
                "it has 2 plugin classes (A, B); name one of them",
            ),
        ],
    )
    def test_explained(self, write: Write, text: bytes, problem: str) -> None:
        """A file that cannot be a plugin is listed with the reason."""
        problems = find_path(write("bad.py", text)).problems
        assert len(problems) == 1
        assert problems[0].startswith(problem)

    def test_one_bad_file_hides_no_other(self, write: Write) -> None:
        """A broken file stands beside the good ones."""
        write("bad.py", "(")
        found = discover(directories=[write("good.py", VALIDATOR).parent]).found
        assert [(each.name, bool(each.problems)) for each in found] == [("bad", True), ("mine", False)]

    def test_missing_directory(self, tmp_path: Path) -> None:
        """A directory that is not there, or is a file, is a problem with its path."""
        problems = discover(directories=[tmp_path / "gone"]).problems
        assert str(problems[0]) == f"{tmp_path}/gone: the plugin directory cannot be read (No such file or directory)"

    def test_loop_of_links(self, write: Write, tmp_path: Path) -> None:
        """A link to itself and a link to nowhere are reported, and the rest is found."""
        (tmp_path / "loop.py").symlink_to("loop.py")
        (tmp_path / "nowhere.py").symlink_to("gone.py")
        discovery = discover(directories=[write("good.py", VALIDATOR).parent])
        assert [(each.name, len(each.problems)) for each in discovery.found] == [("mine", 0), ("nowhere", 1)]
        assert [problem.file for problem in discovery.problems] == [str(tmp_path / "loop.py")]

    def test_forbidden(self, forbidden: Path) -> None:
        """Files, packages and directories that may not be read are reported, each by its path."""
        discovery = discover(directories=[forbidden, forbidden / "package"])
        assert discovery.found[0].problems == ("it cannot be read (Permission denied)",)
        assert [problem.file for problem in discovery.problems] == [str(forbidden / "package")] * 2
        assert "Permission denied" in discovery.problems[1].message

    @pytest.fixture
    def forbidden(self) -> Iterator[Path]:
        """Return a directory with a file and a package that this process may not read, also when it is root."""
        with tempfile.TemporaryDirectory() as name:
            path = Path(name)
            path.chmod(0o755)
            (path / "secret.py").write_text(VALIDATOR)
            (path / "secret.py").chmod(0)
            (path / "package").mkdir(mode=0)
            user = os.geteuid()
            if user == 0:
                os.seteuid(65534)
            yield path
            os.seteuid(user)
            (path / "package").chmod(0o700)


class TestConflicts:
    def test_winner_is_stated(self, write: Write) -> None:
        """Of one name from two sources the directory's wins over the built-in, and the conflict says so."""
        directory = write("plugins/mine.py", FULL).parent
        discovery = only(discover(builtins={"my-check": BuiltIn}, directories=[directory]))
        assert discovery.found[0].source is Origin.DIRECTORY
        assert str(discovery.conflicts[0]) == (
            f"2 plugins are called 'my-check': the one of the directory ({directory}/mine.py) is used, "
            "the built-in one is not; rename all but one"
        )

    def test_order_of_sources(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        """Reference wins over directory, directory over distribution, distribution over built-in."""
        directory = write("plugins/mine.py", FULL).parent
        write("site/elsewhere_mine.py", FULL)
        site = install(write, "dist", "1", "my-check = elsewhere_mine:Mine")
        monkeypatch.syspath_prepend(str(site))
        discovery = discover(
            builtins={"my-check": BuiltIn},
            installed=inventory([str(site)]),
            directories=[directory],
            references=["elsewhere_mine:Mine"],
        )
        conflict = only(discovery).conflicts[0]
        assert [conflict.winner.source, *(each.source for each in conflict.losers)] == list(Origin)

    def test_broken_loses(self, write: Write) -> None:
        """A plugin that cannot be loaded loses against one that can, and both are named."""
        write("a/mine.py", "(")
        write("b/mine.py", VALIDATOR)
        directories = [write("a/x.txt", "").parent, write("b/x.txt", "").parent]
        discovery = only(discover(directories=directories))
        assert discovery.found[0].problems == ()
        assert len(discovery.conflicts[0].losers) == 1

    def test_first_directory_wins(self, write: Write) -> None:
        """Within one source the earlier directory wins."""
        directories = [write(f"{name}/mine.py", VALIDATOR).parent for name in "ba"]
        assert only(discover(directories=directories)).found[0].path == str(directories[0] / "mine.py")


class TestDistributions:
    def test_listed_without_import(self, write: Write) -> None:
        """An entry point gives name, reference, distribution and its requirement of the host; nothing is imported."""
        site = install(write, "Some_Dist", "2.0", "my-check = not_there.at_all:Mine", "hotplane >=0.1,<9")
        found = only(discover(installed=inventory([str(site)]))).found[0]
        assert (found.name, found.reference) == ("my-check", "not_there.at_all:Mine")
        assert (found.distribution, found.version, found.requires_host) == ("Some_Dist 2.0", "2.0", "<9,>=0.1")
        assert found.problems == ("there is no module 'not_there.at_all' with a source file",)

    def test_source_is_read(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the module lies on the path, its source tells more, and it is not imported."""
        write("site/lying/__init__.py", "raise SystemExit")
        path = write("site/lying/here.py", FULL)
        site = install(write, "dist", "2.0", "other-name = lying.here:Mine", "hotplane>=0")
        monkeypatch.syspath_prepend(str(site))
        found = only(discover(installed=inventory([str(site)]))).found[0]
        assert (found.name, found.version, found.path) == ("other-name", "1.2", str(path))
        assert found.requires_host == ">=0,>=0.1"
        assert "lying" not in sys.modules

    def test_the_hosts_requirement_among_others(self, write: Write) -> None:
        """What the distribution needs besides, and what nobody can read, does not hide it."""
        requires = (
            "other >=3\nRequires-Dist: ??\nRequires-Dist: hotplane >=0.1; extra == 'x'\nRequires-Dist: hotplane <9"
        )
        site = install(write, "dist", "1", "my-check = not_there:Mine", requires)
        assert inventory([str(site)]).plugins[0].requires_host == "<9"

    def test_byte_code_alone(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        """A module without its source is taken for what its metadata says, and not imported to know more."""
        source = write("site/compiled_only.py", "raise SystemExit\n")
        py_compile.compile(str(source), cfile=f"{source}c")
        source.unlink()
        site = install(write, "dist", "1", "my-check = compiled_only:Mine")
        monkeypatch.syspath_prepend(str(site))
        found = only(discover(installed=inventory([str(site)]))).found[0]
        assert (found.name, found.problems, found.path) == ("my-check", (), f"{source}c")
        assert "compiled_only" not in sys.modules

    def test_bad_metadata(self, write: Write) -> None:
        """A distribution with broken metadata, and one with a senseless entry, are problems; others are found."""
        install(write, "broken", "1", "no equals sign")
        install(write, "odd", "1", "odd = not a reference")
        site = install(write, "good", "1", "good = a.b:C")
        found = inventory([str(site)])
        assert [each.name for each in found.plugins] == ["good"]
        assert len(found.problems) == 2
        assert "odd offers 'odd' as 'not a reference'" in " ".join(map(str, found.problems))

    def test_changed_distribution_needs_a_restart(self, write: Write) -> None:
        """A distribution that was changed or removed since the start is named; a new one is not."""
        start = inventory([str(install(write, name, "1.0", "p = a:B")) for name in ("kept", "gone")][:1])
        later = inventory([str(install(write, "new", "1.0", "q = a:B"))])
        assert restart_reasons(start, later) == {}
        changed = Inventory(tuple(each for each in start.plugins if each.distribution == "gone"), ())
        assert restart_reasons(start, changed) == {
            "kept": "the distribution 'kept' 1.0 was removed since the start; restart the host"
        }

    def test_new_version_needs_a_restart(self, write: Write, tmp_path: Path) -> None:
        """The reason names both versions."""
        start = inventory([str(install(write, "dist", "1.0", "p = a:B"))])
        (tmp_path / "site/dist-1.0.dist-info").rename(tmp_path / "away")
        now = inventory([str(install(write, "dist", "1.1", "p = a:B"))])
        assert restart_reasons(start, now) == {
            "dist": "the distribution 'dist' changed from 1.0 to 1.1 since the start; restart the host"
        }


class TestReferences:
    def test_located(self) -> None:
        """A module's file is found without importing it; built-in and missing modules have none."""
        assert locate("hotplane.plugins.base") == Path(sys.modules["hotplane.plugins.base"].__file__ or "")
        assert (locate("nowhere_at_all.x"), locate("sys")) == (None, None)

    def test_bad_reference(self) -> None:
        """What is not written `module:Class` is refused with the form."""
        found = only(discover(references=["no colon"])).found[0]
        assert found.problems == ("a reference is written `package.module:Class`",)

    def test_class_from_elsewhere(self) -> None:
        """A class that its module only imports is left to the import: unknown, not wrong."""
        found = only(discover(references=["hotplane.plugins:Validator"])).found[0]
        assert (found.name, found.version, found.problems) == ("hotplane.plugins:Validator", None, ())

    def test_builtin_facts(self) -> None:
        """A built-in gives its facts from the class."""
        found = only(discover(builtins={"my-check": BuiltIn})).found[0]
        assert (found.kind, found.version, found.source) == ("validator", "0.1", Origin.BUILT_IN)
