"""Loading plugin code by generation."""

from __future__ import annotations

import gc
import importlib
import importlib.resources
import linecache
import logging
import os
import sys
import threading
import traceback
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hotplane.errors import InvalidMetadata, PluginImportFailed
from hotplane.host.loader import LoadedModule, load_generation, release
from tests.unit.host.conftest import VALIDATOR, Load, Write


def left_behind(name: str) -> list[str]:
    """Return the modules of a plugin that are still in the module table."""
    return [module for module in sys.modules if module.startswith(f"hotplane_plugins.{name}_")]


def package(write: Write, value: int = 1) -> Path:
    """Write a package whose modules import each other in every way, and return its directory."""
    write("pack/__init__.py", "lazy_name = 7\n" + (VALIDATOR + "from . import one\nimport pack.two.deep\n"))
    write("pack/one.py", f"from pack import lazy_name\nimport pack.two.deep as deep\nvalue = {value}\n")
    write("pack/two/__init__.py", "from ..two import deep\n")
    write("pack/two/deep.py", "import sys\ndef main():\n    import pack\n    return pack\n")
    write("pack/late.py", f"late = {value}\n")
    return write("pack/data.txt", f"data {value}").parent


class TestGenerations:
    def test_same_size_edit_in_the_same_second(self, write: Write, load: Load) -> None:
        """An edit that changes neither size nor time of the file is seen."""
        first = load(path := write("mine.py", "x = 1\n"))
        status = path.stat()
        write("mine.py", "x = 2\n")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        second = load(path, 2)
        assert (first.module.x, second.module.x) == (1, 2)

    def test_there_and_back_again(self, write: Write, load: Load) -> None:
        """A → B → A gives three generations with modules of their own."""
        loaded = [load(write("mine.py", f"x = {x}\n"), number) for number, x in enumerate("121")]
        assert [each.module.x for each in loaded] == [1, 2, 1]
        assert len({each.module.__name__ for each in loaded}) == 3
        assert loaded[0].source.sha256 == loaded[2].source.sha256

    def test_one_file_twice_at_one_generation(self, write: Write, load: Load) -> None:
        """Two plugins made from one file share no module."""
        path = write("mine.py", "x = []\n")
        assert load(path).module is not load(path).module

    def test_no_byte_code_is_written(self, write: Write, load: Load) -> None:
        """Loading leaves no cache on the disk."""
        path = package(write)
        load(path)
        assert not list(path.rglob("__pycache__"))

    def test_byte_code_on_the_disk_is_not_used(self, write: Write, load: Load) -> None:
        """A stale cache beside the file changes nothing."""
        path = write("mine.py", "x = 1\n")
        write(f"__pycache__/mine.{sys.implementation.cache_tag}.pyc", b"\0" * 32)
        assert load(path).module.x == 1

    def test_two_generations_of_a_package_at_once(self, write: Write, load: Load) -> None:
        """Each generation's modules, imported early or late, see their own generation alone."""
        first = load(package(write, 1))
        second = load(package(write, 2), 2)
        for loaded, value in ((first, 1), (second, 2)):
            assert loaded.module.one.value == value
            assert loaded.module.two.deep.main() is loaded.module
            late = importlib.import_module(".late", loaded.module.__package__)
            assert late.late == value

    def test_package_is_not_importable_by_others(self, write: Write, load: Load) -> None:
        """A loaded package does not appear under its own name."""
        load(package(write))
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("pack")

    def test_file_added_after_the_snapshot(self, write: Write, load: Load) -> None:
        """A module that was not there when the generation was read stays out of it."""
        loaded = load(package(write))
        write("pack/added.py", "")
        with pytest.raises(ModuleNotFoundError, match=r"pack\.added"):
            importlib.import_module(".added", loaded.module.__package__)

    def test_folder_without_init(self, write: Write, load: Load) -> None:
        """A folder of modules inside a package needs no `__init__.py`."""
        write("pack/plain/part.py", "x = 3\n")
        assert load(write("pack/__init__.py", "from pack.plain import part\n").parent).module.part.x == 3

    def test_data_files(self, write: Write, load: Load) -> None:
        """A package finds its data by `__file__` and by `importlib.resources`."""
        module = load(package(write)).module
        assert (Path(module.__file__ or "").parent / "data.txt").read_text() == "data 1"
        assert importlib.resources.files(module).joinpath("data.txt").read_text() == "data 1"

    def test_data_changes_the_hash(self, write: Write, load: Load) -> None:
        """A change in a data file of the package is a new version of it."""
        first = load(package(write))
        write("pack/data.txt", "data 2")
        assert first.source.changed_on_disk()

    def test_unchanged(self, write: Write, load: Load) -> None:
        """Files that were touched, not changed, are the same version."""
        loaded = load(path := write("mine.py", "x = 1\n"))
        os.utime(path, (1, 1))
        assert not loaded.source.changed_on_disk()

    def test_source_facts(self, write: Write, load: Load) -> None:
        """A generation carries its path, size, time and SHA-256."""
        source = load(path := write("mine.py", "x = 1\n")).source
        assert (source.path, source.size, source.mtime) == (path, 6, path.stat().st_mtime)
        assert len(source.sha256) == 64

    def test_types_resolve(self, write: Write, load: Load) -> None:
        """Dataclasses, pydantic models and type hints written as strings work inside a generation."""
        module = load(
            write(
                "mine.py",
                """
                from __future__ import annotations
                import dataclasses, typing, pydantic
                @dataclasses.dataclass
                class Data:
                    next: Data | None = None
                class Model(pydantic.BaseModel):
                    data: Data
                hints = typing.get_type_hints(Data)
                made = Model(data={"next": {}})
                """,
            )
        ).module
        assert module.hints["next"] == module.Data | None
        assert module.made.data.next == module.Data()

    def test_encoding_declaration(self, write: Write, load: Load) -> None:
        """A file's own encoding is honoured."""
        path = write("mine.py", "# coding: latin-1\nx = 'é'\n".encode("latin-1"))
        assert load(path).module.x == "é"

    def test_standard_name(self, write: Write, load: Load) -> None:
        """A plugin called `json.py` uses the standard module, hides it from nobody, and is told of it."""
        loaded = load(write("json.py", "import json\nx = json.dumps([])\n"))
        assert loaded.module.x == "[]"
        assert importlib.import_module("json").dumps([1]) == "[1]"
        assert "name of the standard module 'json'" in loaded.warnings[0]

    def test_four_threads(self, write: Write) -> None:
        """Packages load in four threads at once without seeing each other."""
        paths = [package(lambda name, text, n=n: write(f"{n}/{name}", text), n) for n in range(4)]

        def often(number: int) -> set[int]:
            seen = set[int]()
            for generation in range(15):
                loaded = load_generation(paths[number], generation)
                seen.add(importlib.import_module(".late", loaded.module.__package__).late)
                assert loaded.module.two.deep.main() is loaded.module
                release(loaded)
            return seen

        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(often, range(4))) == [{0}, {1}, {2}, {3}]
        assert left_behind("pack") == []


class TestTracebacks:
    def test_lines_of_each_generation(self, write: Write, load: Load) -> None:
        """A traceback shows the lines that ran, in the file that was loaded, whatever lies on the disk now."""
        first = load(path := write("mine.py", "def f():\n    raise ValueError('one')\n"))
        second = load(write("mine.py", "# moved\ndef f():\n    raise ValueError('two')\n"), 2)
        write("mine.py", "broken(\n")
        for loaded, line in ((first, "raise ValueError('one')"), (second, "raise ValueError('two')")):
            with pytest.raises(ValueError, match=r"one|two") as caught:
                loaded.module.f()
            frame = traceback.extract_tb(caught.value.__traceback__)[-1]
            assert frame.line == line
            assert os.path.normpath(frame.filename) == str(path)

    def test_spelling_is_used_again(self, write: Write, load: Load) -> None:
        """After a release the plain path is free for the next generation."""
        first = load(path := write("mine.py", "def f(): pass\n"))
        second = load(path, 2)
        release(first)
        third = load(path, 3)
        names = [each.module.f.__code__.co_filename for each in (first, second, third)]
        assert names == [str(path), f"{path.parent}/./{path.name}", str(path)]

    def test_released_lines_are_gone(self, write: Write) -> None:
        """Nothing of a released generation stays in the line cache or among the loggers."""
        loaded = load_generation(path := write("mine.py", "import logging\nlog = logging.getLogger(__name__)\n"), 1)
        release(loaded)
        assert str(path) not in linecache.cache
        assert loaded.module.__name__ not in logging.root.manager.loggerDict


class TestClasses:
    def test_the_one_class(self, write: Write, load: Load) -> None:
        """The file's plugin class is found; the imported ones beside it are not meant."""
        plugin = load(write("mine.py", VALIDATOR)).plugin_class()
        assert (plugin.__name__, plugin.metadata.name) == ("Mine", "mine")

    def test_class_in_a_submodule(self, write: Write, load: Load) -> None:
        """A package's class may live in any of its modules, and is found once."""
        write("pack/part.py", VALIDATOR)
        loaded = load(write("pack/__init__.py", "from pack.part import *\nfrom .part import Mine as Other\n").parent)
        assert [each.__name__ for each in loaded.plugin_classes()] == ["Mine"]

    def test_base_classes_do_not_count(self, write: Write, load: Load) -> None:
        """Private, abstract and base classes beside the plugin make no second one."""
        text = VALIDATOR.replace("class Mine(Validator)", "class Base(Validator):\n    pass\nclass Mine(Base)")
        plugin = load(write("mine.py", text + "class _Hidden(Mine):\n    pass\n")).plugin_class()
        assert plugin.__name__ == "Mine"

    @pytest.mark.parametrize("name", ["Second", "second"])
    def test_named_class(self, write: Write, load: Load, name: str) -> None:
        """Of two plugins one is chosen by the name of its class or of its metadata."""
        second = VALIDATOR.replace("Mine", "Second").replace('"mine"', '"second"')
        assert load(write("mine.py", VALIDATOR + second)).plugin_class(name).__name__ == "Second"

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("x = 1", "it has no plugin class, such as a `Validator`"),
            ("from hotplane.plugins import Validator", "it has no plugin class, such as a `Validator`"),
            (
                VALIDATOR + VALIDATOR.replace("Mine", "Other"),
                "it has 2 plugin classes (Mine, Other); name one of them",
            ),
            (
                VALIDATOR.replace("metadata =", "other ="),
                "it has no `metadata = PluginMetadata(name=…, version=…)`",
            ),
            (VALIDATOR.replace('"1.0"', '"new"'), "its version 'new' is not a PEP 440 version"),
            (
                VALIDATOR.replace("(Validator)", "(Validator[dict])"),
                "its configuration `dict` is no pydantic model; derive it from `hotplane.Config`",
            ),
            (
                VALIDATOR.replace("    metadata", "    class Config:\n        limit = 1\n    metadata"),
                "its configuration `Mine.Config` is no pydantic model; derive it from `hotplane.Config`",
            ),
            (VALIDATOR.replace("def validate", "def judge"), "it does not define `validate`, which a validator needs"),
        ],
    )
    def test_unusable_class(self, write: Write, load: Load, text: str, sentence: str) -> None:
        """A file without exactly one usable class is refused in a sentence."""
        with pytest.raises(InvalidMetadata) as caught:
            load(write("mine.py", text)).plugin_class()
        assert caught.value.reason == sentence


BAD = {
    "syntax error": ("def (:\n", "it is not valid Python: invalid syntax (bad.py, line 1)"),
    "binary": (b"\x7fELF\0\1\2", "it is not valid Python: source code string cannot contain null bytes (bad.py)"),
    "wrong encoding": (b"x = '\xff'\n", "it is not valid Python: (unicode error) 'utf-8' codec can't decode"),
    "unknown encoding": ("# coding: klingon\n", "it is not valid Python: "),
    "exit": ("import sys\nsys.exit(3)\n", "it ends the process (`sys.exit`) while it is imported (bad.py, line 2)"),
    "exception": (
        "x = 1\n1 / 0\n",
        "it raises ZeroDivisionError: division by zero while it is imported (bad.py, line 2)",
    ),
    "base exception": (
        "class Odd(BaseException): pass\nraise Odd('why')\n",
        "it raises Odd: why while it is imported (bad.py, line 2)",
    ),
    "unprintable": (
        "class Odd(Exception):\n    def __str__(self): return 1 / 0\nraise Odd\n",
        "it raises Odd: <ZeroDivisionError in __str__> while it is imported (bad.py, line 3)",
    ),
    "recursion": ("def f(): f()\nf()\n", "it recurses without end while it is imported (bad.py, line 1)"),
    "nesting": (
        "x = " + "(" * 5000 + ")" * 5000,
        "it is not valid Python: too many nested parentheses (bad.py, line 1)",
    ),
    "missing module": (
        "import nowhere_at_all\n",
        "it raises ModuleNotFoundError: No module named 'nowhere_at_all' while it is imported (bad.py, line 1)",
    ),
}


class TestBadInput:
    @pytest.mark.parametrize("case", BAD)
    def test_isolated_and_explained(self, write: Write, case: str) -> None:
        """Code that cannot be imported is contained, explained in a sentence, and leaves no module behind."""
        text, sentence = BAD[case]
        path = write("bad.py", text)
        with pytest.raises(PluginImportFailed) as caught:
            load_generation(path, 1)
        assert caught.value.reason.startswith(sentence)
        assert caught.value.__context__ is None
        assert left_behind("bad") == []
        assert str(path) not in linecache.cache

    def test_keyboard_interrupt_of_the_plugin(self, write: Write) -> None:
        """A `KeyboardInterrupt` that plugin code raises in the loading thread is contained."""
        path = write("bad.py", "raise KeyboardInterrupt\n")
        with ThreadPoolExecutor(1) as threads, pytest.raises(PluginImportFailed, match=r"raises KeyboardInterrupt"):
            threads.submit(load_generation, path, 1).result()

    def test_keyboard_interrupt_of_the_operator(self, write: Write) -> None:
        """In the main thread it may be the operator's, and goes on."""
        with pytest.raises(KeyboardInterrupt):
            load_generation(write("bad.py", "raise KeyboardInterrupt\n"), 1)
        assert left_behind("bad") == []

    def test_half_way_through_a_package(self, write: Write) -> None:
        """A package that raises after some of its modules were imported leaves none of them."""
        write("pack/one.py", "")
        write("pack/two.py", "from pack import one\nraise ValueError('half way')\n")
        with pytest.raises(PluginImportFailed, match=r"half way while it is imported \(two.py, line 2\)"):
            load_generation(write("pack/__init__.py", "from . import one, two\n").parent, 1)
        assert left_behind("pack") == []

    def test_traceback_is_the_plugins_own(self, write: Write) -> None:
        """The report shows the plugin's frames with their lines, none of the host's, and is bounded."""
        path = write("bad.py", "import json\ndef f():\n    json.loads('{')\nf()\n")
        with pytest.raises(PluginImportFailed) as caught:
            load_generation(path, 1)
        lines = caught.value.traceback.splitlines()
        assert [line.strip() for line in lines if "File" not in line and "^" not in line][:2] == [
            "f()",
            "json.loads('{')",
        ]
        assert "importlib" not in caught.value.traceback
        assert "loader.py" not in caught.value.traceback

    def test_traceback_of_a_recursion_is_short(self, write: Write) -> None:
        """A thousand frames make no thousand lines."""
        with pytest.raises(PluginImportFailed) as caught:
            load_generation(write("bad.py", "def f(n): g(n)\ndef g(n): f(n)\nf(1)\n"), 1)
        assert len(caught.value.traceback.splitlines()) < 70

    def test_neighbour(self, write: Write) -> None:
        """A file that imports its neighbour is told how to become a package."""
        write("shared.py", "")
        with pytest.raises(PluginImportFailed, match=r"make both one package, and import with `from . import shared`"):
            load_generation(write("bad.py", "import shared\n"), 1)

    def test_printing(self, write: Write, load: Load, capsys: pytest.CaptureFixture[str]) -> None:
        """What is printed at import goes to standard error and into a warning; later prints are untouched."""
        loaded = load(write("loud.py", "print('hello', 1)\ndef f(): print('later')\n"))
        loaded.module.f()
        assert tuple(capsys.readouterr()) == ("later\n", "hello 1\n")
        assert loaded.warnings == ("It printed 'hello 1' while it was imported: use `context.log`.",)

    def test_thread(self, write: Write, load: Load) -> None:
        """A thread started at import is reported by its name; the host's own new threads are not."""
        text = """
        import threading
        end = threading.Event()
        thread = threading.Thread(target=lambda: end.wait(60), name="eager", daemon=True)
        thread.start()
        """
        loaded = load(write("busy.py", text))
        loaded.module.end.set()
        loaded.module.thread.join(60)
        assert len(loaded.warnings) == 1
        assert "started the thread 'eager' while it was imported" in loaded.warnings[0]

    def test_unreadable(self, write: Write) -> None:
        """A path that is not there, or is no package, says so, and that another try may help."""
        for path in (Path("/nowhere/mine.py"), write("empty/notes.txt", "").parent):
            with pytest.raises(PluginImportFailed) as caught:
                load_generation(path, 1)
            assert caught.value.changed

    def test_fifo(self, tmp_path: Path) -> None:
        """A named pipe that is called like a plugin blocks nothing."""
        os.mkfifo(tmp_path / "pipe.py")
        with pytest.raises(PluginImportFailed, match=r"pipe.py is not a regular file"):
            load_generation(tmp_path / "pipe.py", 1)

    def test_huge(self, tmp_path: Path) -> None:
        """A file of many megabytes is refused unread."""
        path = tmp_path / "huge.py"
        with path.open("wb") as file:
            file.truncate(17 * 1024 * 1024)
        with pytest.raises(PluginImportFailed, match=r"huge.py is larger than 16777216 bytes"):
            load_generation(path, 1)


RICH = """
import dataclasses, functools, logging, threading, typing, msgspec
from hotplane.plugins import Config, Validator
from hotplane.records import PluginMetadata, ValidationResult
import pydantic

T = typing.TypeVar("T")
log = logging.getLogger(__name__)

class MyConfig(Config):
    limit: int = 3

class Box(pydantic.BaseModel, typing.Generic[T]):
    inner: T

class Point(msgspec.Struct):
    x: int
    next: typing.Optional["Point"] = None

@dataclasses.dataclass
class Data:
    inner: typing.List[MyConfig]

@functools.lru_cache
def cached(x: Data | None) -> int:
    return 1

class Mine(Validator[MyConfig]):
    metadata = PluginMetadata(name="mine", version="1.0")

    def validate(self, execution, context):
        return ValidationResult(valid=True)

Box[MyConfig](inner=MyConfig())
typing.get_type_hints(Data)
typing.Optional[Mine], typing.Callable[[Mine], Data]
msgspec.json.decode(b'{"x": 1}', type=Point)
pydantic.TypeAdapter(typing.List[Data]).json_schema()
MyConfig.model_json_schema()
cached(None)
worker = threading.Thread(target=cached, args=(None,))
worker.start()
worker.join()
"""


class TestRelease:
    def test_thirty_generations_are_collected(self, write: Write) -> None:
        """Of thirty released generations no module and no class is left after a garbage collection."""
        references: list[weakref.ref[object]] = []
        for number in range(30):
            path = write("rich.py", RICH + f"x = {number}\n")
            references += self.live_and_die(load_generation(path, number))
        gc.collect()
        gc.collect()  # pydantic's weak table of generic models holds its keys until the first has freed the values
        assert len(references) == 210
        assert [reference() for reference in references if reference() is not None] == []
        assert left_behind("rich") == []

    @staticmethod
    def live_and_die(loaded: LoadedModule) -> list[weakref.ref[object]]:
        plugin = loaded.plugin_class()
        assert plugin().config is not None
        assert isinstance(plugin(), plugin.__mro__[1])
        objects = (
            loaded.module,
            *(getattr(loaded.module, name) for name in ("Mine", "MyConfig", "Box", "Point", "Data", "log")),
        )
        release(loaded)
        return [weakref.ref(each) for each in objects]

    def test_calls_in_flight_go_on(self, write: Write) -> None:
        """A function of a released generation that still runs finds all its names."""
        loaded = load_generation(write("mine.py", "import time\nx = 5\ndef f(): return x, time.time\n"), 1)
        function = loaded.module.f
        release(loaded)
        del loaded
        gc.collect()
        assert function()[0] == 5

    def test_release_twice(self, write: Write) -> None:
        """Releasing again does no harm."""
        loaded = load_generation(write("mine.py", "x = 1\n"), 1)
        release(loaded)
        release(loaded)
        assert left_behind("mine") == []

    def test_failed_generations_are_collected(self, write: Write) -> None:
        """A generation that failed at import keeps no class alive, though its report is kept."""
        seen = weakref.WeakSet[type]()
        sys.modules["spy"] = spy = type(sys)("spy")
        spy.note = seen.add  # pyright: ignore[reportAttributeAccessIssue]
        reports: list[PluginImportFailed] = []
        for number in range(5):
            path = write("bad.py", f"import spy\nclass A: pass\nspy.note(A)\nraise ValueError({number})\n")
            with pytest.raises(PluginImportFailed) as caught:
                load_generation(path, number)
            reports.append(caught.value)
            del caught
        del sys.modules["spy"]
        gc.collect()
        assert (len(reports), len(seen)) == (5, 0)


def test_no_threads_are_left(write: Write) -> None:
    """Loading and releasing leave no thread of their own."""
    before = set(threading.enumerate())
    release(load_generation(write("plain.py", "VALUE = 1\n"), 1))
    assert set(threading.enumerate()) - before == set()
