"""Making, changing, trying and removing webhook handlers while the host runs.

Imports `builtin.webhooks`, `events`, `host`, `storage`, `records`, `errors` and its own room; `app` alone builds it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from weakref import WeakValueDictionary

import msgspec
from msgspec.structs import replace

from hotplane.errors import DuplicatePlugin, HotplaneError, UnknownPlugin, UnknownWebhook
from hotplane.events import DeliverySettings, Outbox
from hotplane.host import Manager, PluginSpec, PluginStatus
from hotplane.plugins import Logger
from hotplane.records import EventType, Severity
from hotplane.registry import Registry
from hotplane.storage import EventRange, Store
from hotplane.values import Json
from hotplane.webhooks.checking import delivery_of, explained, with_events
from hotplane.webhooks.pace import Pace
from hotplane.webhooks.rehearsal import Rehearsal
from hotplane.webhooks.replaying import ReplayedPage, replay
from hotplane.webhooks.revising import revised, wanted_configuration
from hotplane.webhooks.showing import shown_webhook
from hotplane.webhooks.trying import an_event
from hotplane.webhooks.values import BY_API, KIND, Kept, Numbers, Tried, Webhook, WebhookChange, WebhookSpec

__all__ = ["Webhooks"]

_FIELDS = ("enabled", "disabled", "priority", "configuration", "delivery")
_decode = msgspec.json.Decoder(Kept).decode


class Webhooks:
    """The webhook handlers of a host.

    Args:
        manager: Every plugin.
        outbox: Delivers to them.
        store: Where they are kept.
        check_server: Raises a HotplaneError when a handler may not send to a host and port.
        forget: Closes the way out of one that is gone.
        own: How the configuration has events delivered to single handlers.
        log: Told of what cannot be restored.
    """

    def __init__(
        self,
        *,
        manager: Manager,
        outbox: Outbox,
        store: Store,
        check_server: Callable[[str, str, int], Awaitable[None]],
        forget: Callable[[str], None],
        own: Mapping[str, DeliverySettings],
        log: Logger,
    ) -> None:
        self._manager = manager
        self._outbox = outbox
        self._store = store
        self._rehearsal = Rehearsal(manager, check_server)
        self._forget = forget
        self._pace = Pace(outbox, own)
        self._log = log
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    # --- life --------------------------------------------------------------------------------------------

    async def restore(self) -> tuple[PluginSpec, ...]:
        """Return the specs of what the API made; one that cannot be read is logged and left away."""
        found: list[PluginSpec] = []
        for name, body in (await self._store.webhooks.list()).items():
            try:
                kept = _decode(body)
                own = delivery_of(kept.delivery)
            except (msgspec.DecodeError, HotplaneError) as error:
                self._log.error("webhook.not-restored", webhook=name, why=str(error))
                continue
            self._pace.take(name, own)
            found.append(_spec(name, kept))
        return tuple(found)

    def settle(self) -> None:
        """Have events delivered as the overrides of handlers say; called when there may be others than before."""
        self._pace.settle(status for status in self._manager.list() if status.kind == KIND)

    # --- looking -----------------------------------------------------------------------------------------

    def list(self) -> tuple[Webhook, ...]:
        """Return every handler, wherever it was declared, the first of the chain first."""
        return tuple(self._show(status) for status in self._manager.list() if status.kind == KIND)

    async def get(self, name: str) -> Webhook:
        """Return a handler, and how its deliveries are.

        Raises:
            UnknownWebhook: There is none.
        """
        shown, status = self._show(self._status(name)), await self._outbox.status(name)
        numbers = Numbers(backlog=status.backlog, delivered=status.delivered, failed=status.failed, died=status.died)
        return replace(shown, deliveries=numbers)

    def check(self, name: str) -> None:
        """Raise `UnknownWebhook` when there is no such handler."""
        self._status(name)

    async def check_place(self, name: str, configuration: Mapping[str, Json]) -> None:
        """Raise `ConfigurationError` when a plugin is a handler that may not send where a configuration says."""
        if any(status.id == name and status.kind == KIND for status in self._manager.list()):
            await self._rehearsal.look(name, configuration)

    def was_made(self, name: str) -> bool:
        """Tell whether the API made a handler."""
        return any(status.id == name and status.source == BY_API for status in self._manager.list())

    # --- changing ----------------------------------------------------------------------------------------

    async def make(self, wanted: WebhookSpec) -> Webhook:
        """Try a handler out without an event, then store and start it.

        Raises:
            DuplicatePlugin, InvalidId, ReservedId: The name cannot be had.
            UnknownType, ReferenceNotAllowed, InvalidMetadata: Nor can the type.
            ConfigurationError: It cannot work so; every problem has its pointer into the request.
            PluginStartFailed, MissingExtra: It does not come up.
        """
        name = Registry.check_usable(wanted.name)
        async with self._lock(name):
            if any(status.id == name for status in self._manager.list()):
                raise DuplicatePlugin(name, "plugin")
            if await self._has_another_host(name):
                raise DuplicatePlugin(name, "webhook handler of another host on the same store")
            own = delivery_of(wanted.delivery)
            kept, spec = await self._tried(name, wanted)
            await self._store.webhooks.put(name, kept.encoded())
            self._pace.take(name, own)
            self._manager.add(spec)
            if spec.enabled:
                await self._start(name)
            return await self.get(name)

    async def change(self, name: str, wanted: WebhookChange) -> Webhook:
        """Give a handler other settings, all of them; it is tried out before, and serves on as it is if that fails.

        Raises:
            UnknownWebhook: There is none.
            ConfigurationError, PluginStartFailed, MissingExtra: As of `make`.
        """
        async with self._lock(name):
            self.check(name)
            before = self._manager.wanted(name)
            own = delivery_of(wanted.delivery)
            cls = before.cls or await self._manager.class_of(before.spec)
            configuration = wanted_configuration(cls, before, wanted)
            spec, overrides = revised(before.spec, wanted, configuration)
            serves = before.plugin is not None or before.spec.instance is not None
            await self._rehearsal.run(cls, replace(spec, configuration=configuration, cls=cls), only_look=serves)
            try:
                await self._manager.revise(name, spec, overrides, lambda: self._keep(spec, overrides, wanted))
            except HotplaneError as error:
                raise explained(name, error) from error
            if spec.source == BY_API:
                self._pace.take(name, own)
            else:
                self.settle()
            return await self.get(name)

    async def remove(self, name: str) -> None:
        """Unload and forget a handler, with its deliveries.

        Raises:
            UnknownWebhook: There is none.
            DeclaredInFile: The configuration file names it: it can be changed and disabled.
        """
        async with self._lock(name):
            made = self._status(name).source == BY_API
            await self._manager.remove(name)
            if made:
                await self._store.webhooks.delete(name)
            self._pace.forget(name)
            self._forget(name)
            await self._outbox.forget(name)

    async def try_out(
        self, name: str, *, type: EventType | None = None, severity: Severity = Severity.INFO, dry_run: bool = False
    ) -> Tried:
        """Hand a test event over, which is stored nowhere.

        Raises:
            UnknownWebhook: There is none.
            HandlerNotServing: It does not serve now, or takes no events of this type.
        """
        event = an_event(type, self._show(self._status(name)).events, severity)
        return Tried(event=event, dry_run=dry_run, attempt=await self._outbox.try_out(name, event, dry_run=dry_run))

    async def replay(
        self, name: str | None, wanted: EventRange, *, dead_only: bool, limit: int, cursor: str | None = None
    ) -> ReplayedPage:
        """Deliver events anew to one handler, or to all; see `replaying.replay`.

        Raises:
            UnknownWebhook: There is no such handler.
            InvalidCursor: The cursor is not one of this method's.
        """
        if name is not None:
            self.check(name)
        handlers = (name,) if name else self._names()
        return await replay(self._outbox, handlers, wanted, dead_only=dead_only, limit=limit, cursor=cursor)

    # --- steps -------------------------------------------------------------------------------------------

    async def _tried(self, name: str, wanted: WebhookSpec) -> tuple[Kept, PluginSpec]:
        cls = await self._rehearsal.class_of(PluginSpec(id=name, type=wanted.type, kind=KIND))
        configuration = with_events(cls, wanted.configuration, wanted.events)
        kept = Kept(
            type=wanted.type,
            enabled=wanted.enabled,
            priority=wanted.priority,
            configuration=configuration,
            delivery=wanted.delivery,
        )
        spec = _spec(name, kept)
        try:
            await self._rehearsal.run(cls, spec)
        except BaseException:
            self._forget(name)
            raise
        return kept, spec

    async def _has_another_host(self, name: str) -> bool:
        """Tell whether the store has a handler that this host has not, and that could be restored."""
        with suppress(KeyError, msgspec.DecodeError):  # what nobody can read may be replaced
            _decode((await self._store.webhooks.list())[name])
            return True
        return False

    async def _start(self, name: str) -> None:
        try:
            await self._manager.start(name)
        except HotplaneError as error:  # it is listed as failed, with the reason, and started again if that may help
            self._log.warning("webhook.not-started", webhook=name, why=str(error))

    async def _keep(self, spec: PluginSpec, overrides: Mapping[str, Json], wanted: WebhookChange) -> None:
        if spec.source != BY_API:
            for field in _FIELDS:
                if field in overrides:
                    await self._store.set_override(spec.id, field, overrides[field])
                else:
                    await self._store.reset_override(spec.id, field)
            return
        kept = Kept(
            type=spec.type,
            enabled=spec.enabled,
            priority=spec.priority,
            configuration=spec.configuration,
            delivery=wanted.delivery,
        )
        await self._store.webhooks.put(spec.id, kept.encoded())
        await self._store.reset_override(spec.id)

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())

    def _status(self, name: str) -> PluginStatus:
        try:
            status = self._manager.get(name)
        except UnknownPlugin:
            status = None
        if status is None or status.kind != KIND:
            raise UnknownWebhook(name, self._names())
        return status

    def _names(self) -> tuple[str, ...]:
        return tuple(each.id for each in self._manager.list() if each.kind == KIND)

    def _show(self, status: PluginStatus) -> Webhook:
        wanted = self._manager.wanted(status.id)
        own = self._pace.own(status.id, wanted.overrides)
        return shown_webhook(status, wanted, self._outbox.settings_of(status.id), own)


def _spec(name: str, kept: Kept) -> PluginSpec:
    return PluginSpec(
        id=name,
        type=kept.type,
        kind=KIND,
        enabled=kept.enabled,
        priority=kept.priority,
        configuration=kept.configuration,
        source=BY_API,
    )
