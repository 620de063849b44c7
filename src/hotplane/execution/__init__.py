"""Executing tasks and judging what came out."""

from hotplane.execution.pipeline import ExecutionStore, Pipeline
from hotplane.execution.settings import ExecutionSettings, ValidationSettings
from hotplane.execution.tasks import Plan, TaskStatus, TaskStore, TaskTable

__all__ = [
    "ExecutionSettings",
    "ExecutionStore",
    "Pipeline",
    "Plan",
    "TaskStatus",
    "TaskStore",
    "TaskTable",
    "ValidationSettings",
]
