"""The beginnings of plugins: packages with metadata, configuration, tests and entry point, for each kind.

Imports only `errors` and `version`.
"""

from hotplane.scaffold.kinds import NewKind
from hotplane.scaffold.writing import CannotBegin, begin_plugin

__all__ = ["CannotBegin", "NewKind", "begin_plugin"]
