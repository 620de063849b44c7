"""Finding out whether a webhook handler would come up, before anything is stored or enabled.

Imports `builtin.webhooks`, `host`, `plugins`, `errors` and its own room.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec.structs import replace

from hotplane.builtin.webhooks.admission import places_of
from hotplane.errors import ConfigurationError, HotplaneError, Invalid, InvalidMetadata, Problem
from hotplane.host import Manager, PluginSpec
from hotplane.plugins import Plugin, kind_name, kind_of
from hotplane.values import Json
from hotplane.webhooks.checking import explained
from hotplane.webhooks.values import KIND

__all__ = ["Rehearsal"]


class Rehearsal:
    """Tries handlers out.

    Args:
        manager: Makes instances that are in no chain.
        check_server: Raises a HotplaneError when a plugin may not send to a host and port.
    """

    def __init__(self, manager: Manager, check_server: Callable[[str, str, int], Awaitable[None]]) -> None:
        self._manager = manager
        self._check_server = check_server

    async def class_of(self, spec: PluginSpec) -> type[Plugin[Any]]:
        """Return the class of a handler's type.

        Raises:
            UnknownType, ReferenceNotAllowed, InvalidMetadata: There is none; the pointer is that of the type.
        """
        try:
            cls = await self._manager.class_of(spec)
            if kind_name(kind_of(cls)) != KIND:
                raise InvalidMetadata(spec.type, f"it is a {kind_name(kind_of(cls))}, and no {KIND}")
        except Invalid as error:
            error.problems = (Problem(str(error), "/type"),)
            raise
        return cls

    async def run(self, cls: type[Plugin[Any]], spec: PluginSpec, *, only_look: bool = False) -> None:
        """Check where a handler sends, start one as wanted, have it validate its configuration, and stop it.

        Args:
            cls: Its class.
            spec: The handler.
            only_look: Check where it sends alone: the one that serves is replaced by steps that check the rest.

        Raises:
            ConfigurationError, PluginStartFailed, MissingExtra: It would not come up.
        """
        await self._check_servers(cls, spec)
        if only_look:
            return
        try:
            await self._manager.rehearse(spec)
        except Exception as error:
            raise explained(spec.id, error) from error

    async def look(self, name: str, configuration: Mapping[str, Json]) -> None:
        """Check where a handler that there is would send with another configuration, which is the whole request.

        Raises:
            ConfigurationError: It may not send there.
        """
        wanted = self._manager.wanted(name)
        cls = wanted.cls or await self._manager.class_of(wanted.spec)
        await self._check_servers(cls, replace(wanted.spec, configuration=configuration), below="")

    async def _check_servers(self, cls: type[Plugin[Any]], spec: PluginSpec, *, below: str = "/configuration") -> None:
        try:
            config = cls.Config.model_validate(spec.configuration)
        except ValueError:  # what is wrong with it is told when it is started
            return
        problems: list[Problem] = []
        for place, (host, port) in places_of(config).items():
            try:
                await self._check_server(spec.id, host, port)
            except HotplaneError as error:
                problems.append(Problem(str(error), below + place))
        if problems:
            raise ConfigurationError(problems)
