"""Running programs: import from the allow-list, threads of our own, deadlines that are kept.

Imports only `plugins`, `records`, `values` and `errors`.
"""

from hotplane.programs.jobs import ThreadExit
from hotplane.programs.loading import Program, add_paths
from hotplane.programs.running import Programs
from hotplane.programs.settings import ProgramSettings
from hotplane.programs.threads import DaemonThreads

__all__ = ["DaemonThreads", "Program", "ProgramSettings", "Programs", "ThreadExit", "add_paths"]
