"""`hotplane plugins doctor` and `check`: plugins without a server. Imports `diagnosis` and `testing` when they run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from hotplane.cli.documents import json_argument
from hotplane.cli.failure import FAILED, BadInput
from hotplane.cli.options import Output
from hotplane.cli.output import Form, write, write_json
from hotplane.cli.settings import import_from_here, loaded_settings
from hotplane.cli.tables import details
from hotplane.cli.text import printable

if TYPE_CHECKING:
    from hotplane.cli.diagnosis import Diagnosis, Finding
    from hotplane.config import LoadedConfig
    from hotplane.host.trial import Trial
    from hotplane.testing import Check

__all__ = ["check", "doctor"]

_Place = Annotated[
    Path | None,
    typer.Argument(
        metavar="PLACE",
        help="A directory of plugins, or a configuration file. Left away: the configuration of this folder.",
    ),
]
_Limit = Annotated[
    float | None,
    typer.Option("--timeout", metavar="SECONDS", min=0.1, help="Time for one plugin. Left away: the configured one."),
]


def doctor(*, place: _Place = None, timeout: _Limit = None, output: Output = Form.TABLE) -> None:
    """Find every plugin of a configuration or directory, load each in a process of its own, and explain what is wrong.

    No server is needed or asked. The exit code is 1 when a plugin cannot serve, when two have one name, or when a
    directory cannot be read; warnings alone do not count.
    """
    loaded = _settings(place)
    import_from_here()

    from hotplane.cli.diagnosis import diagnose

    diagnosis = diagnose(loaded, limit=timeout)
    if output is Form.JSON:
        write_json({**_plain(diagnosis), "ok": diagnosis.ok})
    else:
        write("".join(f"{printable(line)}\n" for line in _lines(diagnosis)))
    if not diagnosis.ok:
        raise typer.Exit(FAILED)


def check(
    *,
    target: Annotated[str, typer.Argument(metavar="PATH", help="File or package of a plugin, or module:Class.")],
    configuration: Annotated[
        str | None,
        typer.Option(
            "--configuration", metavar="JSON", help="What to start it with; @file and - read. Left away: defaults."
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=0.1, help="Time for its import and all checks.")
    ] = 60,
    output: Output = Form.TABLE,
) -> None:
    """Load a plugin in a process of its own, start it there, and check everything that its kind promises.

    No server is needed or asked, and nothing is delivered. The exit code is 1 when it cannot be used or breaks a
    promise; what cannot be checked is skipped, with the reason.
    """
    if ":" not in target and not Path(target).exists():
        raise BadInput(f"There is no file or folder {target!r}.")
    given = None if configuration is None else json_argument(configuration, "the configuration")
    if given is not None and not isinstance(given, Mapping):
        raise BadInput("The configuration is a JSON object.")

    from hotplane.testing.checking import check_target

    checked = check_target(target, configuration=given, limit=timeout)
    if output is Form.JSON:
        write_json({**_plain(checked.trial), "checks": _plain(checked)["checks"], "ok": checked.ok})
    else:
        write(details(list(_trial_fields(checked.trial))))
        write("".join(f"{printable(line)}\n" for line in checked.trial.traceback.splitlines()))
        write("".join(f"{printable(line)}\n" for line in _check_lines(checked.checks)))
    if not checked.ok:
        raise typer.Exit(FAILED)


def _check_lines(checks: Sequence[Check]) -> Iterator[str]:
    """Yield one line for each check, and a summary."""
    for check in checks:
        yield f"{check.outcome:9}{check.name}" + (f": {check.detail}" if check.detail else "")
    if checks:
        counts = Counter(str(check.outcome) for check in checks)
        parts = [f"{counts[word]} {word}" for word in ("ok", "problem", "skipped") if counts[word]]
        yield f"{_count(len(checks), 'check')}: {', '.join(parts)}"


def _settings(place: Path | None) -> LoadedConfig:
    if place is None or not place.is_dir():
        return loaded_settings(place, {})

    from hotplane.config import config_from_mapping

    return config_from_mapping({"plugins": {"directories": [str(place)]}})


def _plain(value: object) -> dict[str, Any]:
    import msgspec

    return cast("dict[str, Any]", msgspec.to_builtins(value))


def _lines(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield one line for each plugin, conflict and problem, and a summary."""
    for finding in diagnosis.plugins:
        yield f"{_verdict(finding):9}{_named(finding)}{_explained(finding)}"
    yield from (f"{'conflict':9}{conflict}" for conflict in diagnosis.conflicts)
    yield from (f"{'problem':9}{problem}" for problem in diagnosis.problems)
    yield _summary(diagnosis)


def _verdict(finding: Finding) -> str:
    if not finding.ok:
        return "problem"
    return "warning" if finding.warnings else "ok"


def _named(finding: Finding) -> str:
    parts = [finding.id, finding.version, finding.kind, f"({finding.path or finding.source})"]
    return " ".join(part for part in parts if part)


def _explained(finding: Finding) -> str:
    words = [*finding.problems, *(warning.rstrip(".") for warning in finding.warnings)]
    return ": " + "; ".join(words) if words else ""


def _summary(diagnosis: Diagnosis) -> str:
    bad = sum(not each.ok for each in diagnosis.plugins)
    warned = sum(each.ok and bool(each.warnings) for each in diagnosis.plugins)
    good = len(diagnosis.plugins) - bad
    parts = [f"{good} can serve" + (f" ({warned} with warnings)" if warned else "")]
    if bad:
        parts.append(f"{bad} cannot")
    parts += [_count(len(diagnosis.conflicts), "conflict")] if diagnosis.conflicts else []
    parts += [_count(len(diagnosis.problems), "other problem")] if diagnosis.problems else []
    return f"{_count(len(diagnosis.plugins), 'plugin')}: {', '.join(parts)}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _trial_fields(trial: Trial) -> Iterator[tuple[str, object]]:
    yield "path", trial.target
    yield "usable", trial.ok
    yield from (("problem", problem) for problem in trial.problems)
    yield from (("warning", warning) for warning in trial.warnings)
    if trial.name is None:
        return
    yield "name", trial.name
    yield "version", trial.version
    yield "kind", trial.kind
    yield "class", trial.class_name
    yield "description", trial.description
    yield "author", trial.author
    yield "needs a host", trial.requires_host or "any"
    yield "needs", ", ".join(trial.requires) or None
    yield "configuration", ", ".join(cast("Mapping[str, object]", trial.config_schema.get("properties", {}))) or None
