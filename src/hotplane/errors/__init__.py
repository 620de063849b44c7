"""Every exception that Hotplane raises on purpose. Imports nothing of Hotplane.

Each class's docstring is its default message, with the offender filled in, and says how to mend it. The
offender is an attribute; `code` is stable and never reused, so programs may branch on it::

    HotplaneError
    ├── NotFound
    │   ├── UnknownTask, UnknownPlugin, UnknownWebhook, UnknownExecution, UnknownDelivery, UnknownBatch
    ├── Conflict
    │   ├── DuplicatePlugin, DuplicateTask, DeclaredInFile, IllegalTransition, PluginNeeded, NotReloadable
    │   ├── HostStarted, NoFallback, RunnerNotServing, DeliveryUnderWay, BatchElsewhere, BatchEnded, BatchNotEnded
    ├── Invalid
    │   ├── ConfigurationError, ReservedId, InvalidId, InvalidMetadata, InvalidSchema, InvalidCursor
    │   ├── UnknownType, ReferenceNotAllowed, PathNotAllowed, ProgramNotAllowed, ProgramNotImportable, NotJson
    │   ├── InputRejected, OutputRejected, InvalidRoute, BatchTooLarge, EmptyBatch
    ├── Unavailable
    │   ├── TooManyStuckThreads, HandlerNotServing, HostNotStarted, Overloaded, ShuttingDown, TaskNotRunnable,
    │   ├── StorageUnavailable, StorageSlow, BreakerOpen, NoRunnerAvailable, CannotListen, PortInUse,
    │   ├── PluginsUnreadable
    ├── StorageError
    │   ├── StorageFull, StorageCorrupt, StorageTooNew
    ├── PluginError
    │   ├── PluginImportFailed, PluginIncompatible, PluginStartFailed, PluginReloadFailed, PluginTimeout
    ├── MissingExtra
    ├── RetryLater
    │   └── ConfigurationRefused
    └── PluginMisconfigured                    (the last two are raised by plugins)
"""

from hotplane.errors.base import (
    HotplaneError,
    MissingExtra,
    Problem,
    did_you_mean,
)
from hotplane.errors.conflicts import (
    BatchElsewhere,
    BatchEnded,
    BatchNotEnded,
    Conflict,
    DeclaredInFile,
    DeliveryUnderWay,
    DuplicatePlugin,
    DuplicateTask,
    HostStarted,
    IllegalTransition,
    NoFallback,
    NotReloadable,
    PluginNeeded,
    RunnerNotServing,
)
from hotplane.errors.invalid import (
    ConfigurationError,
    Invalid,
    InvalidId,
    InvalidMetadata,
    InvalidRoute,
    PathNotAllowed,
    ProgramNotAllowed,
    ProgramNotImportable,
    ReferenceNotAllowed,
    ReservedId,
    UnknownType,
)
from hotplane.errors.missing import (
    NotFound,
    UnknownBatch,
    UnknownDelivery,
    UnknownExecution,
    UnknownPlugin,
    UnknownTask,
    UnknownWebhook,
)
from hotplane.errors.plugins import (
    ConfigurationRefused,
    PluginError,
    PluginImportFailed,
    PluginIncompatible,
    PluginMisconfigured,
    PluginReloadFailed,
    PluginStartFailed,
    PluginTimeout,
    RetryLater,
)
from hotplane.errors.rejected import (
    BatchTooLarge,
    EmptyBatch,
    InputRejected,
    InvalidCursor,
    InvalidSchema,
    NotJson,
    OutputRejected,
)
from hotplane.errors.storage import (
    StorageCorrupt,
    StorageError,
    StorageFull,
    StorageTooNew,
)
from hotplane.errors.unavailable import (
    BreakerOpen,
    CannotListen,
    HandlerNotServing,
    HostNotStarted,
    NoRunnerAvailable,
    Overloaded,
    PluginsUnreadable,
    PortInUse,
    ShuttingDown,
    StorageSlow,
    StorageUnavailable,
    TaskNotRunnable,
    TooManyStuckThreads,
    Unavailable,
)

__all__ = [
    "BatchElsewhere",
    "BatchEnded",
    "BatchNotEnded",
    "BatchTooLarge",
    "BreakerOpen",
    "CannotListen",
    "ConfigurationError",
    "ConfigurationRefused",
    "Conflict",
    "DeclaredInFile",
    "DeliveryUnderWay",
    "DuplicatePlugin",
    "DuplicateTask",
    "EmptyBatch",
    "HandlerNotServing",
    "HostNotStarted",
    "HostStarted",
    "HotplaneError",
    "IllegalTransition",
    "InputRejected",
    "Invalid",
    "InvalidCursor",
    "InvalidId",
    "InvalidMetadata",
    "InvalidRoute",
    "InvalidSchema",
    "MissingExtra",
    "NoFallback",
    "NoRunnerAvailable",
    "NotFound",
    "NotJson",
    "NotReloadable",
    "OutputRejected",
    "Overloaded",
    "PathNotAllowed",
    "PluginError",
    "PluginImportFailed",
    "PluginIncompatible",
    "PluginMisconfigured",
    "PluginNeeded",
    "PluginReloadFailed",
    "PluginStartFailed",
    "PluginTimeout",
    "PluginsUnreadable",
    "PortInUse",
    "Problem",
    "ProgramNotAllowed",
    "ProgramNotImportable",
    "ReferenceNotAllowed",
    "ReservedId",
    "RetryLater",
    "RunnerNotServing",
    "ShuttingDown",
    "StorageCorrupt",
    "StorageError",
    "StorageFull",
    "StorageSlow",
    "StorageTooNew",
    "StorageUnavailable",
    "TaskNotRunnable",
    "TooManyStuckThreads",
    "Unavailable",
    "UnknownBatch",
    "UnknownDelivery",
    "UnknownExecution",
    "UnknownPlugin",
    "UnknownTask",
    "UnknownType",
    "UnknownWebhook",
    "did_you_mean",
]

# The files are for those who read them; tracebacks, `repr` and pages show the place to import from. Annotations are
# evaluated in the files (no `__future__`), because nobody would look their names up there.
for _name in __all__:
    globals()[_name].__module__ = __name__
