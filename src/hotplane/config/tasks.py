"""What an operator may set about tasks and about fallback.

Imports only `section`, `thresholds`, `errors`, `identity`, `records`, `routing`, `schemas` and `values`.
"""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator

from hotplane.config.section import Section, wrong
from hotplane.config.thresholds import ThresholdSettings
from hotplane.errors import InvalidId, InvalidSchema, NotJson
from hotplane.identity import check_id
from hotplane.records import Task, ValidationPolicy
from hotplane.routing import RunnerBreakerSettings
from hotplane.schemas import Schema
from hotplane.values import Json

__all__ = ["FallbackSettings", "HttpFallback", "TaskEntry"]

_PROGRAM = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


class TaskEntry(Section):
    """One task."""

    id: str
    """The task's id. Where `tasks` is a mapping, the key."""
    program: str
    """What runs, `package.module:function`, sync or async; its module has to match `programs.allow`."""
    description: str = ""
    """What the task is for."""
    input_schema: Json = True
    """JSON Schema of the input; `true` accepts everything."""
    output_schema: Json = True
    """JSON Schema of the output; `true` accepts everything."""
    sampling_rate: Annotated[float | None, Field(ge=0, le=1, allow_inf_nan=False)] = None
    """Probability with which an execution is sampled. Left away: the sampler's own rate."""
    timeout_ms: Annotated[int, Field(ge=1, le=3_600_000)] = 30_000
    """Deadline of one execution, all attempts together, in milliseconds."""
    idempotent: bool = False
    """Whether running it twice does no harm, so that an attempt that may have run may be repeated elsewhere."""
    route: Annotated[tuple[str, ...] | None, Field(min_length=1, max_length=16)] = None
    """The names of the runners to try, in order. Left away: the route of the host."""
    thresholds: ThresholdSettings | None = None
    """What its executions have to keep to. Left away: nothing is watched."""
    validation_policy: ValidationPolicy | None = None
    """How the verdicts of its validators become one. Left away: `validation.policy`."""

    def to_task(self) -> Task:
        """Return the record of this task."""
        return Task(
            id=self.id,
            program=self.program,
            description=self.description,
            input_schema=self.input_schema,
            output_schema=self.output_schema,
            sampling_rate=self.sampling_rate,
            timeout_ms=self.timeout_ms,
            idempotent=self.idempotent,
            route=self.route or (),
            thresholds=None if self.thresholds is None else self.thresholds.to_record(),
            validation_policy=self.validation_policy,
        )

    @field_validator("id")
    @classmethod
    def _usable_id(cls, value: str) -> str:
        try:
            return check_id(value, "a task's id")
        except InvalidId as error:
            raise wrong(str(error)) from None

    @field_validator("program")
    @classmethod
    def _names_a_function(cls, program: str) -> str:
        if _PROGRAM.fullmatch(program) is None:
            raise wrong(f"{program[:200]!r} does not name a function; write `package.module:function`")
        return program

    @field_validator("input_schema", "output_schema")
    @classmethod
    def _is_schema(cls, source: Json) -> Json:
        try:
            return Schema(source).source
        except (InvalidSchema, NotJson) as error:
            at = error.problems[0].pointer
            raise wrong(f"this is not a usable JSON Schema: {error.reason}", at) from None


class HttpFallback(Section):
    """The HTTP worker of the strategy `http`."""

    base_url: str
    """Its address, `http://` or `https://`."""
    timeout_ms: Annotated[int, Field(ge=1, le=3_600_000)] = 30_000
    """Time for one request, in milliseconds."""

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise wrong("this is not the address of a server; write `http://host:port`")
        return url


class FallbackSettings(Section):
    """Where executions go when the first runner of their route is unavailable."""

    enabled: bool = True
    """`false` is the same as the strategy `none`."""
    strategy: Annotated[str, Field(min_length=1, max_length=128)] = "none"
    """`http`, `local`, `none`, or the name of a runner of your own."""
    http_config: Annotated[HttpFallback | None, Field(validate_default=True)] = None
    """The worker for the strategy `http`, which needs it."""
    breaker: RunnerBreakerSettings = RunnerBreakerSettings()
    """When a runner counts as unavailable; `breaker` of a runner's own entry wins, key by key."""

    @field_validator("http_config")
    @classmethod
    def _given_for_http(cls, value: HttpFallback | None, info: ValidationInfo) -> HttpFallback | None:
        if value is None and info.data.get("strategy") == "http" and info.data.get("enabled"):
            raise wrong("the strategy `http` needs `http_config` with a `base_url`")
        return value
