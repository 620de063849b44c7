"""A host whose plugins ask: what the file says, and what comes by the API."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hotplane import Hotplane
from hotplane.errors import PluginReloadFailed
from tests.integration.network.asking import ANSWERS, Asker, AskerConfig

PLACE = "tests.integration.network.asking:Asker"


@pytest.fixture
async def servers() -> AsyncIterator[tuple[str, str]]:
    """Give the URLs of two servers at a loopback address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    made = [await asyncio.start_server(answer, "127.0.0.1", 0) for _ in range(2)]
    ports = [each.sockets[0].getsockname()[1] for each in made]
    yield f"http://127.0.0.1:{ports[0]}", f"http://localhost:{ports[1]}"
    for each in made:
        each.close()


@pytest.fixture(autouse=True)
def forget() -> None:
    """Begin without answers."""
    ANSWERS.clear()
    sys.modules.setdefault("tests.integration.network.asking", sys.modules[Asker.__module__])


def configuration(store: Path, *urls: str, **sections: Any) -> dict[str, Any]:
    """Return that of a host with an asker for each URL: `asker-0`, `asker-1` and so on."""
    entries = [
        {"name": f"asker-{number}", "type": PLACE, "configuration": {"url": url}} for number, url in enumerate(urls)
    ]
    return {
        "storage": {"url": str(store / "store.db")},
        "plugins": {"samplers": entries, "paths": ["tests.*"]},
        **sections,
    }


async def test_the_file_may_name_servers_anywhere(tmp_path: Path, servers: tuple[str, str]) -> None:
    """Both plugins get an answer from this machine."""
    async with Hotplane.from_config(configuration(tmp_path, *servers)):
        assert ANSWERS == {"asker-0": "204", "asker-1": "204"}


async def test_a_url_that_came_by_the_api_is_guarded(tmp_path: Path, servers: tuple[str, str]) -> None:
    """Also when the file names the same server, but for another plugin; back to the file's it is asked again."""
    async with Hotplane.from_config(configuration(tmp_path, *servers)) as host:
        await host.plugins.reconfigure("asker-0", {"url": servers[1]})
        assert ANSWERS["asker-0"] == "address-refused"
        await host.plugins.reconfigure("asker-0", {"url": servers[0] + "/other"})
        assert ANSWERS["asker-0"] == "204"


async def test_an_override_stays_guarded_after_a_restart(tmp_path: Path, servers: tuple[str, str]) -> None:
    """What is stored came by the API, whenever it is read."""
    config = configuration(tmp_path, servers[0])
    async with Hotplane.from_config(config) as host:
        await host.plugins.reconfigure("asker-0", {"url": servers[1]})
    ANSWERS.clear()
    async with Hotplane.from_config(config):
        assert ANSWERS == {"asker-0": "address-refused"}


async def test_a_plugin_that_came_by_the_api_is_guarded(tmp_path: Path, servers: tuple[str, str]) -> None:
    """Its configuration is nobody's exception."""
    async with Hotplane.from_config(configuration(tmp_path)) as host:
        await host.plugins.load_reference(PLACE, id="late", configuration={"url": servers[0]})
        assert ANSWERS == {"late": "address-refused"}


async def test_what_the_program_around_the_host_registers_is_the_operators(
    tmp_path: Path, servers: tuple[str, str]
) -> None:
    """As a class with a configuration, and as an instance with its own; before the start and after it."""
    host = Hotplane.from_config(configuration(tmp_path))
    host.register(Asker, id="as-a-class", configuration={"url": servers[0]})
    host.register(Asker(AskerConfig(url=servers[0])), id="as-an-instance")
    async with host:
        await host.load(Asker, id="later", configuration={"url": servers[1]})
        assert ANSWERS == {"as-a-class": "204", "as-an-instance": "204", "later": "204"}


async def test_a_network_in_the_file_opens_it_for_the_api(tmp_path: Path, servers: tuple[str, str]) -> None:
    """`network.allow` is for every plugin, whoever configured it."""
    allowed = configuration(tmp_path, network={"allow": ["127.0.0.0/8", "::1"]})
    async with Hotplane.from_config(allowed) as host:
        await host.plugins.load_reference(PLACE, id="late", configuration={"url": servers[1]})
        assert ANSWERS == {"late": "204"}


async def test_the_http_runner_is_guarded_like_everybody(tmp_path: Path, servers: tuple[str, str]) -> None:
    """Its address in the file may be private; another that comes by the API is refused, and the file's serves on."""
    config = configuration(tmp_path)
    config["plugins"]["runners"] = [{"name": "http", "configuration": {"base_url": servers[0]}}]
    async with Hotplane.from_config(config) as host:
        with pytest.raises(PluginReloadFailed, match="not on the public internet"):
            await host.plugins.reconfigure("http", {"base_url": servers[1]})
        await host.plugins.reconfigure("http", {"base_url": servers[0] + "/other"})
        assert host.plugins.get("http").state == "active"
