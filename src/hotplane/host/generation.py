"""The import machinery of generations: modules from a snapshot, under names of their own, without byte-code cache.

Imports only `source`. Other code's imports are never touched: the finder answers for names below `hotplane_plugins`
alone, and a plugin's absolute imports of itself are turned by an `__import__` that only its own modules see.
"""

from __future__ import annotations

import builtins
import importlib
import linecache
import logging
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.readers import FileReader
from importlib.util import decode_source, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from hotplane.host.source import Source, SourceModule

__all__ = ["ROOT", "Generation"]

ROOT = "hotplane_plugins"
"""The package below which every generation's modules live in `sys.modules`."""
_REMEMBERED_PRINTS = 5
_REMEMBERED_CHARACTERS = 200


class Generation:
    """The modules of one snapshot.

    Args:
        source: The files.
        number: The plugin's generation number.
    """

    def __init__(self, source: Source, number: int) -> None:
        self.source = source
        self.printed: list[str] = []
        """What was printed at import, shortened."""
        self.root, self.spelling = _finder.add(self, number)
        self._shadows = source.name in sys.stdlib_module_names
        self._builtins = vars(builtins) | {"__import__": self._import, "print": self._print}

    @property
    def shadows_standard(self) -> bool:
        """Whether the plugin has the name of a standard module, so that its absolute self-imports mean that one."""
        return self._shadows

    def import_main(self) -> ModuleType:
        """Import the main module, in this thread; whatever it raises passes through."""
        try:
            module = importlib.import_module(self.root)
        finally:
            # Functions keep this very dictionary, so after the import they print as everyone else does.
            self._builtins["print"] = builtins.print
        with suppress(AttributeError):  # the import binds the module to its parent, which would keep it alive
            delattr(sys.modules[ROOT], self.root.rpartition(".")[2])
        return module

    def loaded(self) -> Mapping[str, ModuleType]:
        """Return the modules imported so far, the main one first."""
        below = f"{self.root}."
        # A copy is made in one step. A list of the items is not: making its pairs may start the garbage collector,
        # and with it another thread that imports.
        modules = sys.modules.copy()
        return {name: modules[name] for name in sorted(modules) if name == self.root or name.startswith(below)}

    def owns(self, module_name: str) -> bool:
        """Tell whether a module of that name belongs to this generation."""
        return module_name == self.root or module_name.startswith(f"{self.root}.")

    def code_path(self, path: Path) -> str:
        """Return the path as this generation's code and tracebacks spell it."""
        return f"{path.parent}{self.spelling}/{path.name}"

    def remove(self) -> None:
        """Take the modules out of `sys.modules`, the lines out of the line cache, and the loggers out of `logging`."""
        _finder.remove(self)
        for name in self.loaded():
            sys.modules.pop(name, None)
        for module in self.source.modules.values():
            linecache.cache.pop(self.code_path(module.path), None)
        known = logging.root.manager.loggerDict
        for name in [name for name in list(known) if self.owns(name)]:
            known.pop(name, None)

    def spec(self, fullname: str) -> ModuleSpec:
        """Return how to make a module of this generation.

        Raises:
            ModuleNotFoundError: The snapshot has no such module; the files on disk are never looked at.
        """
        module = self.source.modules.get(fullname[len(self.root) + 1 :])
        if module is None:
            shown = self.source.name + fullname[len(self.root) :]
            raise ModuleNotFoundError(f"No module named {shown!r} in the plugin {self.source.path}", name=shown)
        folder = [str(module.path.parent)] if module.is_package else None
        loader = _Loader(self, module)
        spec = spec_from_file_location(fullname, module.path, loader=loader, submodule_search_locations=folder)
        assert spec is not None  # noqa: S101 -- only without a loader is there none
        return spec

    def execute_with(self, namespace: dict[str, object]) -> None:
        """Give a module that is about to be executed this generation's built-ins."""
        namespace["__builtins__"] = self._builtins

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if level or not self._is_self(name):
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        own = self.root + name[len(self.source.name) :]
        if fromlist:
            return builtins.__import__(own, globals, locals, fromlist, 0)
        importlib.import_module(own)
        return sys.modules[self.root]  # `import mypkg.sub` binds `mypkg`

    def _is_self(self, name: str) -> bool:
        return not self._shadows and name.partition(".")[0] == self.source.name

    def _print(self, *values: object, **options: object) -> None:
        # Standard output belongs to programs that read `hotplane … --json`: what is printed at import goes aside.
        if options.get("file") is None:
            options["file"] = sys.stderr
            if len(self.printed) < _REMEMBERED_PRINTS:
                self.printed.append(" ".join(map(str, values))[:_REMEMBERED_CHARACTERS])
        show: Callable[..., None] = builtins.print
        show(*values, **options)


class _Loader(InspectLoader):
    """Makes one module; `path` and `get_resource_reader` serve `importlib.resources`."""

    def __init__(self, generation: Generation, module: SourceModule) -> None:
        self.path = str(module.path)
        self._generation = generation
        self._module = module

    def is_package(self, fullname: str) -> bool:
        del fullname
        return self._module.is_package

    def get_source(self, fullname: str) -> str:
        del fullname
        return decode_source(self._module.text)

    def get_data(self, path: str) -> bytes:
        """Return a file's bytes, for `pkgutil.get_data`."""
        return Path(path).read_bytes()

    def get_code(self, fullname: str) -> CodeType:
        file = self._generation.code_path(self._module.path)
        # Compiled from bytes, so that an encoding declaration is honoured.
        code = compile(self._module.text, file, "exec", dont_inherit=True)
        text = self.get_source(fullname)
        # Without a time the entry is never refreshed from the disk, where newer source may lie by now.
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        return code

    def exec_module(self, module: ModuleType) -> None:
        self._generation.execute_with(vars(module))
        super().exec_module(module)

    def get_resource_reader(self, fullname: str) -> FileReader | None:
        del fullname
        return FileReader(self) if self._module.is_package else None  # pyright: ignore[reportArgumentType]


class _Finder(MetaPathFinder):
    """Answers for live generations; safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: dict[str, Generation] = {}
        self._spellings: dict[str, tuple[Path, str]] = {}

    def add(self, generation: Generation, number: int) -> tuple[str, str]:
        """Register a generation and return the name of its main module and the spelling of its paths."""
        source = generation.source
        stem = "".join(letter if letter.isidentifier() or letter.isdigit() else "_" for letter in source.name)
        wanted = f"{ROOT}.{stem}_{source.sha256[:12]}_g{number}"
        with self._lock:
            self._install()
            root, copies = wanted, 1
            while root in self._live:  # two instances of one file may both be at this generation
                copies += 1
                root = f"{wanted}_{copies}"
            spelling = self._spelling(source)
            self._live[root], self._spellings[root] = generation, (source.path, spelling)
            return root, spelling

    def remove(self, generation: Generation) -> None:
        """Forget a generation; its modules can be imported no more."""
        with self._lock:
            self._live.pop(generation.root, None)
            self._spellings.pop(generation.root, None)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a generation's module, and None for everybody else's."""
        del path, target
        if not fullname.startswith(f"{ROOT}."):
            return None
        generation = self._live.get(".".join(fullname.split(".", 2)[:2]))
        return generation.spec(fullname) if generation is not None else None

    def _install(self) -> None:
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        if ROOT not in sys.modules:
            package = ModuleType(ROOT, "The parent of every plugin generation.")
            package.__path__ = []
            sys.modules[ROOT] = package
            # A real logger: a placeholder would keep the loggers of old generations alive.
            logging.getLogger(ROOT)

    def _spelling(self, source: Source) -> str:
        """Return ``""``, ``"/."``, ``"/./."`` …: the first that no live generation of these files has.

        Generations of one file need different keys in the line cache, or tracebacks of one would show lines of the
        other; all these spellings open the same file in an editor.
        """
        taken = {spelling for path, spelling in self._spellings.values() if path == source.path}
        spelling = ""
        while spelling in taken:
            spelling += "/."
        return spelling


_finder = _Finder()
