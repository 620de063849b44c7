"""Where a secret comes from: written down, an environment variable, or a file; shown as asterisks.

Imports only `errors` and `plugins`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Self, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    SecretStr,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from hotplane.errors import HotplaneError, PluginMisconfigured, Problem
from hotplane.plugins import Logger

__all__ = ["MASK", "SecretSource", "conceal", "concealing", "problems_of"]

MASK = "********"
"""What is shown in the place of a secret, and refused as one: whoever read it and sends it back means no change."""

_MAX_BYTES = 16 * 1024
_SHORTEST_CONCEALED = 6
"""Shorter texts are no secrets, and would be found everywhere."""

_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"


class SecretSource(BaseModel):
    """A secret: ``"text"``, ``{"env": "NAME"}`` or ``{"file": "/path"}``.

    What is written down never leaves: it is `********` in every form in which this can be shown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    value: SecretStr | None = Field(default=None, repr=False)
    env: Annotated[str | None, Field(pattern=_VARIABLE)] = None
    """The environment variable that holds it."""
    file: Path | None = None
    """The file that holds it, by its absolute path; nobody else should be able to read it."""

    @model_validator(mode="before")
    @classmethod
    def _accept_text(cls, data: Any) -> Any:
        return {"value": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if [self.value, self.env, self.file].count(None) != 2:
            raise ValueError('a secret is a text, {"env": "NAME"} or {"file": "/path"}: exactly one of them')
        if self.file is not None and not self.file.is_absolute():
            raise ValueError("the path of a secret's file must be absolute")
        if self.value is not None:
            self._check(self.value.get_secret_value())
        return self

    @model_serializer(mode="plain")
    def _shown(self) -> str | dict[str, str]:
        if self.env is not None:
            return {"env": self.env}
        if self.file is not None:
            return {"file": str(self.file)}
        return self._masked("" if self.value is None else self.value.get_secret_value())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown()!r})"

    __str__ = __repr__

    def read(self, what: str, *, log: Logger | None = None) -> str:
        """Return the secret, without white space around it.

        Args:
            what: The field that it is for, to be named in messages.
            log: Told when others may read the file.

        Raises:
            PluginMisconfigured: It is not there, or cannot be the secret. The message does not repeat it.
        """
        if self.value is not None:
            return self.value.get_secret_value().strip()
        if self.env is not None:
            where, text = f"the environment variable {self.env!r}", os.environ.get(self.env, "")
        else:
            where, text = f"the file {str(self.file)!r}", _read_file(what, cast("Path", self.file), log)
        text = text.strip()
        if not text:
            raise PluginMisconfigured(f"`{what}`: {where} is not set, or empty.")
        try:
            self._check(text)
        except ValueError as error:
            raise PluginMisconfigured(f"`{what}`: what {where} holds cannot be used: {error}.") from None
        return text

    def _check(self, text: str) -> None:
        """Raise ValueError when `text` cannot be such a secret, without repeating it."""
        if not text.strip():
            raise ValueError("it is empty")
        if MASK in text:
            raise ValueError(f"{MASK} stands for a secret that is not shown; write the secret itself")
        if len(text.encode()) > _MAX_BYTES:
            raise ValueError(f"it is longer than {_MAX_BYTES} bytes")

    def _masked(self, _text: str) -> str:
        return MASK

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe all three forms."""
        del schema, handler
        sources = {"env": {"type": "string", "pattern": _VARIABLE}, "file": {"type": "string"}}
        forms = [
            {"type": "object", "properties": {name: form}, "required": [name], "additionalProperties": False}
            for name, form in sources.items()
        ]
        return {"title": cls.__name__, "anyOf": [{"type": "string", "format": "password", "writeOnly": True}, *forms]}


def concealing(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return what puts asterisks in the place of `secrets` in a text, for what a server says may repeat them."""
    known = sorted({secret for secret in secrets if len(secret) >= _SHORTEST_CONCEALED}, key=len, reverse=True)
    if not known:
        return str
    return partial(re.compile("|".join(map(re.escape, known))).sub, MASK)


def conceal(text: str, secrets: Iterable[str]) -> str:
    """Return `text` with asterisks in the place of `secrets`; see `concealing`."""
    return concealing(secrets)(text)


def problems_of(sources: Mapping[str, SecretSource]) -> tuple[Problem, ...]:
    """Return what is wrong with the secrets that cannot be read, by JSON Pointer, each without repeating it."""
    found: list[Problem] = []
    for pointer, source in sources.items():
        try:
            source.read(pointer.removeprefix("/"))
        except HotplaneError as error:
            found.append(Problem(str(error), pointer))
    return tuple(found)


def _read_file(what: str, path: Path, log: Logger | None) -> str:
    try:
        # Opening must not wait for the writer of a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise PluginMisconfigured(f"`{what}`: {str(path)!r} is not a regular file.")
            if log is not None and mode & (stat.S_IRWXG | stat.S_IRWXO):
                log.warning("webhook.secret-readable-by-others", file=str(path), mend=f"chmod 600 {path}")
            return file.read(_MAX_BYTES + 1).decode()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise PluginMisconfigured(f"`{what}`: the file {str(path)!r} cannot be read: {reason}.") from None
    except UnicodeDecodeError:
        raise PluginMisconfigured(f"`{what}`: the file {str(path)!r} is not text in UTF-8.") from None
