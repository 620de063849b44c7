"""The revisions of the tables, on a database of either kind."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from pathlib import Path
from threading import Thread

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from hotplane import storage
from hotplane.storage import StorageSettings, Store
from hotplane.storage.revisions import REVISIONS
from hotplane.storage.tables import REVISION_TABLE, metadata


async def test_the_revisions_make_the_tables_that_the_code_uses(store):
    """Nothing differs between the migrated store and `tables.py`."""

    def differences(connection):
        options = {"version_table": REVISION_TABLE, "compare_type": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    assert await store._readers.run(differences) == []


def test_every_revision_is_known():
    """The list in the code is the list of files, so that an unknown revision is really newer."""
    config = Config()
    config.set_main_option("script_location", str(Path(storage.__file__).parent / "migrations"))
    found = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(found[::-1]) == REVISIONS


def test_several_hosts_make_a_store_at_once(url):
    """Opening a new store from eight threads at the same moment works for all of them."""
    failures: list[BaseException] = []

    async def open_and_close() -> None:
        await (await Store.open(StorageSettings(url=url, busy_timeout_ms=120_000))).close()

    def run() -> None:
        try:
            asyncio.run(open_and_close())
        except BaseException as error:
            failures.append(error)

    threads = [Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []


async def test_a_store_that_is_up_to_date_opens_without_alembic(url, monkeypatch):
    """The second start does not pay for the import."""
    await (await Store.open(StorageSettings(url=url))).close()
    for name in [name for name in sys.modules if name.partition(".")[0] == "alembic"]:
        monkeypatch.setitem(sys.modules, name, None)
    await (await Store.open(StorageSettings(url=url))).close()
    assert importlib.util.find_spec("hotplane.storage.migrations") is not None
