"""What a plugin's author tests with: fakes that keep their contracts, and the contracts themselves.

The names below are imported when they are first used. pytest is needed for `hotplane.testing.pytest_plugin` alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hotplane.testing.broken import ContractBroken
    from hotplane.testing.clock import FakeClock
    from hotplane.testing.context import make_context
    from hotplane.testing.contract import Check, Outcome, assert_plugin_contract, check_plugin_contract
    from hotplane.testing.host import FakeHost
    from hotplane.testing.key_value import FakeKeyValue
    from hotplane.testing.log import FakeLog
    from hotplane.testing.outbound import FakeAnswer, FakeOutbound
    from hotplane.testing.receiver import Received, Receiver
    from hotplane.testing.runner import FakeRunner
    from hotplane.testing.runner_contract import RUNNER_CONTRACT, assert_runner_contract
    from hotplane.testing.specimens import (
        a_sampling_context,
        a_task,
        a_validation_context,
        a_webhook_context,
        an_event,
        an_execution,
    )

__all__ = [
    "RUNNER_CONTRACT",
    "Check",
    "ContractBroken",
    "FakeAnswer",
    "FakeClock",
    "FakeHost",
    "FakeKeyValue",
    "FakeLog",
    "FakeOutbound",
    "FakeRunner",
    "Outcome",
    "Received",
    "Receiver",
    "a_sampling_context",
    "a_task",
    "a_validation_context",
    "a_webhook_context",
    "an_event",
    "an_execution",
    "assert_plugin_contract",
    "assert_runner_contract",
    "check_plugin_contract",
    "make_context",
]

_FILES = {
    "broken": ("ContractBroken",),
    "clock": ("FakeClock",),
    "context": ("make_context",),
    "contract": ("Check", "Outcome", "assert_plugin_contract", "check_plugin_contract"),
    "host": ("FakeHost",),
    "key_value": ("FakeKeyValue",),
    "log": ("FakeLog",),
    "outbound": ("FakeAnswer", "FakeOutbound"),
    "receiver": ("Received", "Receiver"),
    "runner": ("FakeRunner",),
    "runner_contract": ("RUNNER_CONTRACT", "assert_runner_contract"),
    "specimens": (
        "a_sampling_context",
        "a_task",
        "a_validation_context",
        "a_webhook_context",
        "an_event",
        "an_execution",
    ),
}
_PLACES = {name: file for file, names in _FILES.items() for name in names}


def __getattr__(name: str) -> object:
    file = _PLACES.get(name)
    if file is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{file}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
