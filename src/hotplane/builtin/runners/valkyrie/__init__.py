"""`valkyrie`: the runner for remote workers. Imports only what lies beside it."""

from hotplane.builtin.runners.valkyrie.runner import ValkyrieRunner
from hotplane.builtin.runners.valkyrie.settings import ValkyrieConfig

__all__ = ["ValkyrieConfig", "ValkyrieRunner"]
