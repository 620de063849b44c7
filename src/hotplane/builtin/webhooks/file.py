"""`file-webhook-handler`: events as lines of JSON. Imports only `plugins`, `events`, `records` and this room."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, field_validator

from hotplane.builtin.webhooks.choosing import ChosenEvents, narrow
from hotplane.builtin.webhooks.rotation import RotatedFile
from hotplane.errors import PluginMisconfigured, Problem
from hotplane.events.envelope import cloudevent, standard_body
from hotplane.plugins import Config, DeliveryFailed, PluginContext, Receipt, WebhookContext, WebhookHandler
from hotplane.records import Event, PluginMetadata

__all__ = ["FileConfig", "FileWebhookHandler"]


class FileConfig(Config):
    """Settings of `file-webhook-handler`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    events: ChosenEvents = ("*",)
    """Event types that it takes, and groups of them such as `plugin.*`."""
    directory: Path
    """The folder, by its absolute path; it must exist."""
    file_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$")] = "events.jsonl"
    """The file in it; older ones are called `events.jsonl.1`, `.2` and so on, `.1` being the newest."""
    format: Literal["standard", "cloudevents"] = "standard"
    """A line: the body of a Standard Webhook, or a CloudEvent."""
    max_bytes: Annotated[int, Field(ge=1_024, le=10 * 1024**3)] = 10 * 1024 * 1024
    """Size at which a new file is begun."""
    keep: Annotated[int, Field(ge=1, le=1_000)] = 5
    """How many older files are kept."""
    fsync: bool = True
    """Whether an event counts as delivered only when it is on the disk."""

    @field_validator("directory")
    @classmethod
    def _absolute(cls, directory: Path) -> Path:
        if not directory.is_absolute() or ".." in directory.parts:
            raise ValueError("write an absolute path without `..`")
        return directory

    def folders(self) -> tuple[Path, ...]:
        """Return where it writes."""
        return (self.directory,)

    @property
    def path(self) -> Path:
        """The file."""
        return self.directory / self.file_name


class FileWebhookHandler(WebhookHandler[FileConfig]):
    """Appends events to a file, one JSON object a line, in the order in which they come."""

    metadata = PluginMetadata(
        name="file-webhook-handler",
        version="0.1.0",
        description="Appends events to a file, as lines of JSON.",
        author="The Hotplane developers",
    )
    priority = 0
    blocking = True

    def __init__(self, config: FileConfig | None = None) -> None:
        super().__init__(config)
        settings = self.config
        narrow(self, settings.events)
        self._file = RotatedFile(settings.path, max_bytes=settings.max_bytes, keep=settings.keep, fsync=settings.fsync)

    def start(self, context: PluginContext) -> None:
        """Make sure that the folder is there and can be written to.

        Raises:
            PluginMisconfigured: It cannot.
        """
        del context
        problems = self.validate_configuration(self.config)
        if problems:
            raise PluginMisconfigured("; ".join(str(problem) for problem in problems))

    def destination(self) -> str:
        """Return the file's path as a URL."""
        return self.config.path.as_uri()

    def validate_configuration(self, configuration: FileConfig) -> tuple[Problem, ...]:
        """Return why the file cannot be written to."""
        folder, path = configuration.directory, configuration.path
        if not folder.is_dir():
            return (Problem(f"There is no folder {str(folder)!r}; make it first.", "/directory"),)
        if not os.access(folder, os.W_OK | os.X_OK):
            return (Problem(f"Files in {str(folder)!r} may not be written by this user.", "/directory"),)
        if path.is_symlink() or (path.exists() and not path.is_file()):
            return (Problem(f"{str(path)!r} is not a regular file.", "/file_name"),)
        return ()

    def handle(self, event: Event, context: WebhookContext) -> Receipt:
        """Append `event`; in a dry run do everything but that.

        Raises:
            DeliveryFailed: It could not be written; nothing of it is left in the file.
        """
        line = standard_body(event) if self.config.format == "standard" else cloudevent(event)
        if context.dry_run:
            return Receipt(response=f"Dry run: {len(line) + 1} bytes were not appended to {self.config.file_name}.")
        try:
            size = self._file.append(line)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise DeliveryFailed(f"{str(self.config.path)!r} cannot be written: {reason}") from error
        return Receipt(response=f"{self.config.file_name} has {size} bytes.")
