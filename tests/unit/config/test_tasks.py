"""Tasks and fallback in the configuration."""

from __future__ import annotations

from typing import Any

import pytest

from hotplane.config import config_from_mapping
from hotplane.errors import ConfigurationError, Problem
from hotplane.records import Task, Thresholds


def problems_of(mapping: dict[str, Any]) -> tuple[Problem, ...]:
    """Return the problems with what is given; fail when there are none."""
    with pytest.raises(ConfigurationError) as caught:
        config_from_mapping(mapping)
    return tuple(caught.value.problems)


def test_a_list_and_a_mapping_of_tasks_are_the_same():
    """The key of a mapping is the id."""
    rest = {"program": "m:f", "sampling_rate": 1, "InputSchema": {"type": "object"}}
    listed = config_from_mapping({"tasks": [{"id": "a", **rest}]}).config
    assert listed == config_from_mapping({"Tasks": {"a": rest}}).config


def test_a_task_becomes_the_record_of_the_same_defaults():
    """What a file leaves away is what the record leaves away."""
    (entry,) = config_from_mapping({"tasks": {"a": {"program": "m:f"}}}).config.tasks
    assert entry.to_task() == Task(id="a", program="m:f")


def test_every_field_of_a_task_comes_over():
    """No setting is lost on the way to the record."""
    fields: dict[str, Any] = {
        "id": "a",
        "program": "m.n:f.g",
        "description": "d",
        "input_schema": {"type": "object"},
        "output_schema": False,
        "sampling_rate": 0.25,
        "timeout_ms": 5,
        "idempotent": True,
        "route": ["x", "y"],
        "validation_policy": "any",
        "thresholds": {"accuracy_min": 0.9, "latency_max_ms": 250},
    }
    (entry,) = config_from_mapping({"tasks": [fields]}).config.tasks
    thresholds = Thresholds(accuracy_min=0.9, latency_max_ms=250)
    expected: dict[str, Any] = {**fields, "route": ("x", "y"), "thresholds": thresholds}
    assert entry.to_task() == Task(**expected)
    assert set(fields) == set(Task.__struct_fields__)


def test_every_threshold_comes_over():
    """The defaults are those of the record, and no field is missing."""
    (entry,) = config_from_mapping({"tasks": {"a": {"program": "m:f", "thresholds": {}}}}).config.tasks
    assert entry.to_task().thresholds == Thresholds()
    assert entry.thresholds is not None
    assert set(type(entry.thresholds).model_fields) == set(Thresholds.__struct_fields__)


def test_a_threshold_that_can_never_be_measured_is_refused():
    """The minimum has to fit into the window."""
    task = {"program": "m:f", "thresholds": {"minimum_volume": 30, "window_count": 20}}
    (problem,) = problems_of({"tasks": {"a": task}})
    assert problem.pointer == "/tasks/a/thresholds/minimum_volume"
    assert "window_count" in problem.message


def test_the_route_of_the_host_fills_in():
    """A task without a route leaves it open: the host fills its own in."""
    (entry,) = config_from_mapping({"tasks": {"a": {"program": "m:f"}}}).config.tasks
    assert entry.to_task().route == ()


def test_a_schema_that_is_none_is_refused_with_its_pointer():
    """The pointer leads into the schema, where it is wrong."""
    (problem,) = problems_of({"tasks": {"a": {"program": "m:f", "input_schema": {"type": "strnig"}}}})
    assert problem.pointer == "/tasks/a/input_schema/type"
    assert "not a usable JSON Schema" in problem.message


def test_a_remote_reference_is_refused():
    """Nothing is fetched, also not while a configuration is checked."""
    schema = {"$ref": "https://example.org/schema.json"}
    (problem,) = problems_of({"tasks": {"a": {"program": "m:f", "output_schema": schema}}})
    assert problem.pointer.startswith("/tasks/a/output_schema")


def test_a_duplicate_task_is_refused():
    """The second one is named."""
    (problem,) = problems_of({"tasks": [{"id": "a", "program": "m:f"}, {"id": "a", "program": "m:g"}]})
    assert problem == Problem("the id 'a' is taken already by /tasks/0", "/tasks/1/id")


def test_an_id_beside_the_key_has_to_be_the_same():
    """A mapping's key is the id; another one is a mistake."""
    assert config_from_mapping({"tasks": {"a": {"id": "a", "program": "m:f"}}}).config.tasks[0].id == "a"
    assert problems_of({"tasks": {"a": {"id": "b", "program": "m:f"}}})[0].pointer == "/tasks/a"


@pytest.mark.parametrize(
    "field",
    [
        {"program": "m"},
        {"program": "m:"},
        {"program": "m:f()"},
        {"program": "../m:f"},
        {"sampling_rate": 1.1},
        {"sampling_rate": "0.1"},
        {"timeout_ms": 0},
        {"timeout_ms": 1.5},
        {"route": []},
        {"idempotent": 1},
    ],
)
def test_a_field_that_cannot_be_is_refused(field: dict[str, Any]):
    """Each is one problem at that field."""
    (problem,) = problems_of({"tasks": {"a": {"program": "m:f", **field}}})
    assert problem.pointer == f"/tasks/a/{next(iter(field))}"


def test_an_id_with_other_characters_is_refused():
    """Ids are parts of addresses."""
    assert "letters, digits" in problems_of({"tasks": {"a b": {"program": "m:f"}}})[0].message


def test_the_strategy_http_needs_an_address():
    """Unless fallback is off."""
    assert problems_of({"fallback": {"strategy": "http"}})[0].pointer == "/fallback/http_config"
    assert config_from_mapping({"fallback": {"enabled": False, "strategy": "http"}}).config.fallback.http_config is None


@pytest.mark.parametrize("url", ["localhost:1", "ftp://x", "http://", "http://x:99999", "http://[x"])
def test_an_address_that_is_not_http_is_refused(url: str):
    """Only what an HTTP client can call goes through."""
    assert problems_of({"fallback": {"http_config": {"base_url": url}}})[0].pointer == "/fallback/http_config/base_url"


def test_a_runners_own_breaker_wins_key_by_key():
    """What it leaves away is as for all runners."""
    common = {"window_calls": 50, "open_seconds": 1.0}
    runner = {"name": "http", "configuration": {"base_url": "http://h"}, "breaker": {"minimum_calls": 30}}
    config = config_from_mapping({"fallback": {"breaker": common}, "plugins": {"runners": [runner]}}).config
    found = config.breakers()["http"].settings()
    assert (found.window_calls, found.minimum_calls, found.open_seconds) == (50, 30, 1.0)
    assert config.fallback.breaker.settings().minimum_calls == 5


@pytest.mark.parametrize(
    ("common", "own", "at"),
    [
        ({"minimum_calls": 21}, {}, "/fallback/breaker"),
        ({"window_calls": 10}, {"minimum_calls": 11}, "/plugins/runners/0/breaker"),
    ],
)
def test_a_breaker_that_could_never_open_is_refused(common: dict[str, int], own: dict[str, int], at: str):
    """It is judged as it will be: a runner's own settings over those for all."""
    runner = {"name": "http", "configuration": {"base_url": "http://h"}, "breaker": own}
    (problem,) = problems_of({"fallback": {"breaker": common}, "plugins": {"runners": [runner]}})
    assert problem.pointer == at
    assert "the breaker would never open" in problem.message


def test_only_runners_have_breakers():
    """Validators, samplers and webhook handlers stand in no route."""
    (problem,) = problems_of({"plugins": {"validators": [{"name": "latency-budget", "breaker": {}}]}})
    assert (problem.pointer, "`breaker` is for runners" in problem.message) == ("/plugins/validators/0/breaker", True)
