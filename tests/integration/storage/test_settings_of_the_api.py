"""What holds for tasks, overrides and plugin values in a store of either kind."""

from __future__ import annotations

import pytest

from hotplane.errors import Invalid, NotJson
from hotplane.records import EventType, Task
from hotplane.storage import StorageSettings, Store
from hotplane.storage.key_value import MAX_KEY_LENGTH, MAX_VALUE_BYTES


async def test_a_task_is_stored_with_its_event(store, event):
    """Tasks come back by id, and the event is in the same commit."""
    late = Task(id="z", program="a:b", input_schema={"type": "object"})
    early = Task(id="a", program="a:b")
    await store.put_task(late, event(type=EventType.TASK_CREATED, task_id="z"))
    await store.put_task(early)
    assert await store.list_tasks() == (early, late)
    assert [each.task_id for each in await store.list_events()] == ["z"]


async def test_a_task_is_replaced_and_deleted(store, event):
    """There is one task for an id, and none after it is deleted; deleting it again does no harm."""
    await store.put_task(Task(id="a", program="a:b"))
    await store.put_task(Task(id="a", program="a:c"))
    assert [task.program for task in await store.list_tasks()] == ["a:c"]
    await store.delete_task("a", event(type=EventType.TASK_DELETED))
    await store.delete_task("a")
    assert await store.list_tasks() == ()


async def test_overrides_survive_a_restart_field_by_field(url):
    """Each field of a plugin is overridden by itself; null is a value."""
    store = await Store.open(StorageSettings(url=url))
    await store.set_override("one", "priority", 1)
    await store.set_override("one", "priority", 5)
    await store.set_override("one", "configuration", {"rate": None})
    await store.set_override("two", "enabled", None)
    await store.close()
    store = await Store.open(StorageSettings(url=url))
    found = await store.overrides()
    await store.close()
    assert found == {"one": {"priority": 5, "configuration": {"rate": None}}, "two": {"enabled": None}}


async def test_an_override_is_reset_alone_or_with_all_of_its_plugin(store):
    """Resetting leaves other fields and other plugins as they are."""
    for plugin in ("one", "two"):
        await store.set_override(plugin, "priority", 1)
        await store.set_override(plugin, "enabled", False)
    await store.reset_override("one", "priority")
    await store.reset_override("two")
    assert await store.overrides() == {"one": {"enabled": False}}


async def test_an_override_is_json(store):
    """A value that JSON cannot hold is refused."""
    with pytest.raises(NotJson):
        await store.set_override("one", "rate", float("nan"))


async def test_a_plugin_has_values_of_its_own(store):
    """The same key of two plugins is two values."""
    one, two = store.key_value("one"), store.key_value("two")
    await one.set("k", {"n": [1, "a\0b"]})
    await two.set("k", 2)
    assert await one.get("k") == {"n": [1, "a\0b"]}
    await one.set("k", 3)
    await two.delete("k")
    assert (await one.get("k"), await two.get("k"), await one.get("unknown")) == (3, None, None)


@pytest.mark.parametrize("key", ["", "x" * (MAX_KEY_LENGTH + 1), "a\0b"])
async def test_a_key_has_limits(store, key):
    """An empty, long or unprintable key is refused alike by every database."""
    values = store.key_value("one")
    for call in (values.get(key), values.set(key, 1), values.delete(key)):
        with pytest.raises(Invalid):
            await call


async def test_a_value_has_limits(store):
    """A value that is too large or no JSON is refused, and the largest one fits."""
    values = store.key_value("one")
    largest = "x" * (MAX_VALUE_BYTES - 2)
    await values.set("k", largest)
    with pytest.raises(Invalid, match="bytes"):
        await values.set("k", largest + "x")
    with pytest.raises(NotJson):
        await values.set("k", float("inf"))
    assert await values.get("k") == largest
