"""Tasks of the file and of the API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hotplane import Hotplane
from hotplane.errors import (
    ConfigurationError,
    DeclaredInFile,
    DuplicateTask,
    Invalid,
    InvalidId,
    InvalidRoute,
    InvalidSchema,
    ProgramNotAllowed,
    ProgramNotImportable,
    TaskNotRunnable,
    UnknownTask,
)
from hotplane.records import Task

Build = Callable[..., Hotplane]


async def test_a_task_of_the_api_survives_a_restart(build: Build, programs: str) -> None:
    """What the API makes, changes and deletes is stored with its event."""
    task = Task(id="mine", program=f"{programs}:upper", description="one")
    async with build() as host:
        assert (await host.tasks.create(task)).source == "api"
        await host.tasks.update(Task(id="mine", program=f"{programs}:shout", description="two"))
    async with build() as host:
        assert host.tasks.get("mine").description == "two"
        assert (await host.execute("mine", {"text": "x"})).output == "X"
        await host.tasks.delete("mine")
        types = [event.type for event in await host.store.list_events()]
        assert [each for each in types if each.startswith("task.")] == ["task.created", "task.updated", "task.deleted"]
    async with build() as host:
        with pytest.raises(UnknownTask):
            host.tasks.get("mine")


async def test_a_task_of_the_file_can_be_overridden_and_reset_but_not_deleted(build: Build, programs: str) -> None:
    """The override wins over the file, survives a restart and is shown; reset brings the file's task back."""
    async with build() as host:
        before = host.tasks.get("upper")
        await host.tasks.update(Task(id="upper", program=f"{programs}:upper", timeout_ms=77))
        with pytest.raises(DeclaredInFile):
            await host.tasks.delete("upper")
    async with build() as host:
        status = host.tasks.status("upper")
        assert (status.source, status.overridden, status.task.timeout_ms) == ("file", True, 77)
        assert (await host.tasks.reset("upper")).task == before
    async with build() as host:
        assert not host.tasks.status("upper").overridden


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"id": "no spaces"}, InvalidId),
        ({"program": "os:system"}, ProgramNotAllowed),
        ({"program": "{programs}:missing"}, ProgramNotImportable),
        ({"program": "{programs}"}, ProgramNotImportable),
        ({"input_schema": {"type": "nonsense"}}, InvalidSchema),
        ({"output_schema": {"$ref": "http://127.0.0.1:1/schema.json"}}, InvalidSchema),
        ({"route": ("nowhere",)}, InvalidRoute),
    ],
)
async def test_unusable_tasks_are_refused_and_nothing_is_stored(
    build: Build, programs: str, fields: dict[str, Any], error: type[Invalid]
) -> None:
    """A bad id, program, schema or route is refused by name; the store stays as it was."""
    given: dict[str, Any] = {"id": "bad", "program": f"{programs}:upper"} | fields
    given["program"] = given["program"].replace("{programs}", programs)
    async with build() as host:
        with pytest.raises(error):
            await host.tasks.create(Task(**given))
        assert await host.store.list_tasks() == ()
        assert not [each for each in await host.store.list_events() if each.type.startswith("task.")]


async def test_a_second_task_with_the_same_id_is_refused(build: Build, programs: str) -> None:
    """Creating is not changing."""
    async with build() as host:
        with pytest.raises(DuplicateTask, match="PUT"):
            await host.tasks.create(Task(id="upper", program=f"{programs}:upper"))


async def test_a_stored_task_whose_program_is_gone_is_listed_with_the_reason(
    build: Build, programs: str, tmp_path: Path
) -> None:
    """A stored task that cannot run any more does not keep the host from starting."""
    extra = tmp_path / f"{programs}_extra.py"
    extra.write_text("def run(value):\n    return 1\n")
    allow = {"programs": {"allow": [f"{programs}*"], "paths": [str(tmp_path)]}}
    async with build(**allow) as host:
        await host.tasks.create(Task(id="mine", program=f"{programs}_extra:run"))
    async with build() as host:
        assert "programs.allow" in (host.tasks.status("mine").problem or "")
        with pytest.raises(TaskNotRunnable, match="mine"):
            await host.execute("mine", {})


async def test_every_bad_task_of_a_file_is_reported_at_once_with_its_line(tmp_path: Path) -> None:
    """Two tasks that cannot be imported give two problems, each with file and line, and the host does not start."""
    file = tmp_path / "hotplane.yaml"
    file.write_text(
        f"storage: {{url: {tmp_path}/x.db}}\n"
        "programs: {allow: [missing_module, json]}\n"
        "tasks:\n"
        "  - id: one\n"
        "    program: missing_module:run\n"
        "  - id: two\n"
        "    program: json:nothing\n"
    )
    host = Hotplane.from_config(file)
    with pytest.raises(ConfigurationError) as refusal:
        await host.start()
    found = [(problem.line, problem.message) for problem in refusal.value.problems]
    assert [line for line, _ in found] == [4, 6]
    assert "missing_module" in found[0][1]
    assert "json:nothing" in found[1][1]
