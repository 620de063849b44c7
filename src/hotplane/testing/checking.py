"""The contract, checked in a process of its own: what `hotplane plugins check` shows. Imports `host` and this room.

The process that asks imports nothing of the plugin: ``python -m hotplane.testing.checking`` does, and writes the trial
and then each check as soon as it is made, so that a check that ends the process, or never ends, is known by its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec import Struct

from hotplane.host.apart import Apart, answer_apart, ask_apart
from hotplane.host.trial import Trial, load_trial, read_trial
from hotplane.testing.contract import Check, Outcome, check_plugin_contract
from hotplane.values import Json

__all__ = ["Checked", "check_target"]

_LAST = "the contract"


class Checked(Struct, frozen=True, kw_only=True):
    """A plugin, loaded and held to its kind's contract."""

    trial: Trial
    checks: tuple[Check, ...] = ()
    """Empty where it cannot even be loaded."""

    @property
    def ok(self) -> bool:
        """Whether it can be used and breaks no promise."""
        return self.trial.ok and not any(check.outcome is Outcome.PROBLEM for check in self.checks)


def check_target(
    target: str,
    *,
    configuration: Mapping[str, Json] | None = None,
    limit: float = 120.0,
    folders: Sequence[str] = (),
) -> Checked:
    """Load a plugin in a process of its own, and check what its kind promises there.

    Args:
        target: Path of a file or package, or ``module:Class``.
        configuration: What to start it with; its defaults where it is left away.
        limit: Seconds for the whole process.
        folders: Searched for what it imports, after everything else.
    """
    apart = ask_apart("hotplane.testing.checking", target, configuration, limit=limit, folders=folders)
    trial = read_trial(target, apart, limit)
    checks = tuple(msgspec.json.decode(line, type=Check) for line in apart.answers[1:])
    if not trial.ok or (checks and checks[-1].name == _LAST):
        return Checked(trial=trial, checks=checks[:-1])
    return Checked(trial=trial, checks=(*checks, _cut_off(checks, apart, limit)))


def _cut_off(checks: Sequence[Check], apart: Apart, limit: float) -> Check:
    after = f"after {checks[-1].name!r}" if checks else "before the first check"
    how = f"it takes longer than {limit:g} s" if apart.code is None else f"it ended the process {apart.ending}"
    return Check(name=_LAST, outcome=Outcome.PROBLEM, detail=f"{after}: {how}")


# --- in the process of its own ---------------------------------------------------------------------------


def _work(target: str, configuration: Mapping[str, Json] | None, write: Callable[[object], None]) -> None:
    trial, plugin = load_trial(target, configuration)
    write(trial)
    if plugin is not None and trial.ok:
        configurations = None if configuration is None else [configuration]
        check_plugin_contract(plugin, configurations=configurations, tell=write)
        write(Check(name=_LAST, outcome=Outcome.OK))


if __name__ == "__main__":
    answer_apart(_work)
