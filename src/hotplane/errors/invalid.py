"""What is declared wrongly: configuration, ids, plugins, programs, routes. HTTP's 422. Imports only `errors.base`."""

from collections.abc import Iterable, Sequence

from hotplane.errors.base import HotplaneError, Problem, did_you_mean

__all__ = [
    "ConfigurationError",
    "Invalid",
    "InvalidId",
    "InvalidMetadata",
    "InvalidRoute",
    "PathNotAllowed",
    "ProgramNotAllowed",
    "ProgramNotImportable",
    "ReferenceNotAllowed",
    "ReservedId",
    "UnknownType",
]


class Invalid(HotplaneError):
    """The input is not acceptable."""

    code = "invalid"
    problems: Sequence[Problem] = ()


class ConfigurationError(Invalid):
    """The configuration has {count} problem(s):{listing}"""

    code = "invalid-configuration"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            f"The configuration has {len(self.problems)} problem{'s' if len(self.problems) != 1 else ''}:\n"
            + "\n".join(f"  {problem}" for problem in self.problems)
        )


class ReservedId(Invalid):
    """The id {plugin_id!r} is reserved, because the API uses it as a path. Choose another name."""

    code = "reserved-id"

    def __init__(self, plugin_id: str) -> None:
        self.plugin_id = plugin_id
        super().__init__()


class InvalidId(Invalid):
    """{value!r} cannot be {what}. Use 1 to 128 letters, digits, and any of `. _ : -`, beginning with a letter or digit."""

    code = "invalid-id"

    def __init__(self, value: str, what: str = "an id") -> None:
        self.value = value[:140]
        self.what = what
        super().__init__()


class InvalidMetadata(Invalid):
    """The plugin class {plugin!r} cannot be used: {reason}."""

    code = "invalid-metadata"

    def __init__(self, plugin: str, reason: str) -> None:
        self.plugin = plugin
        self.reason = reason
        super().__init__()


class UnknownType(Invalid):
    """There is no {what} {name!r}{hint} Known: {known}."""

    code = "unknown-type"

    def __init__(self, name: str, known: Iterable[str], *, what: str = "plugin type") -> None:
        self.name = name
        self.what = what
        known = sorted(known)
        self.hint = did_you_mean(name, known) or "."
        self.known = ", ".join(known)
        super().__init__()


class ReferenceNotAllowed(Invalid):
    """The plugin class {reference!r} is not allowed. Add its module to `plugins.paths` in the configuration file (now: {allowed})."""

    code = "reference-not-allowed"

    def __init__(self, reference: str, allowed: Iterable[str]) -> None:
        self.reference = reference
        self.allowed = ", ".join(allowed) or "nothing"
        super().__init__()


class PathNotAllowed(Invalid):
    """Plugins may not be loaded from {path!r}. Put it into one of `plugins.directories`, or add its folder to `plugins.paths` (now: {allowed})."""

    code = "path-not-allowed"

    def __init__(self, path: str, allowed: Iterable[str]) -> None:
        self.path = path
        self.allowed = ", ".join(allowed) or "nothing"
        super().__init__()


class ProgramNotAllowed(Invalid):
    """The program {program!r} is not allowed. Add its module to `programs.allow` in the configuration file (now: {allowed})."""

    code = "program-not-allowed"

    def __init__(self, program: str, allowed: Iterable[str]) -> None:
        self.program = program
        self.allowed = ", ".join(allowed) or "nothing"
        super().__init__()


class ProgramNotImportable(Invalid):
    """The program {program!r} cannot be used: {reason}. It is written `package.module:function`."""

    code = "program-not-importable"

    def __init__(self, program: str, reason: str) -> None:
        self.program = program
        self.reason = reason
        super().__init__()


class InvalidRoute(Invalid):
    """The route {route} cannot be used: {reason}. A route names runners of this host, each once."""

    code = "invalid-route"

    def __init__(self, route: Sequence[str], reason: str) -> None:
        self.route = " → ".join(route) or "(empty)"
        self.reason = reason
        super().__init__()
