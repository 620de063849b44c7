"""Installed distributions: imported once, and told apart from what is installed now."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotplane import Hotplane

PLUGIN = """
from hotplane import PluginMetadata, ValidationResult, Validator


class Packaged(Validator):
    metadata = PluginMetadata(name="packaged", version="1.0")

    def validate(self, execution, context):
        return ValidationResult(valid=True)
"""


def install(site: Path, version: str) -> None:
    """Lay a distribution down as an installer does."""
    for old in site.glob("*.dist-info"):
        old.rename(old.with_name(f"packaged_plugins-{version}.dist-info"))
    info = site / f"packaged_plugins-{version}.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: packaged-plugins\nVersion: {version}\n")
    (info / "entry_points.txt").write_text("[hotplane.plugins]\npackaged = packaged_plugins:Packaged\n")
    (site / "packaged_plugins.py").write_text(PLUGIN)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """Return a folder of installed packages on `sys.path`."""
    folder = tmp_path / "site"
    folder.mkdir()
    sys.path.append(str(folder))
    yield folder
    sys.path.remove(str(folder))
    sys.modules.pop("packaged_plugins", None)


async def test_a_changed_distribution_needs_a_restart(site: Path, tmp_path: Path) -> None:
    """What was imported serves on; the refresh names the plugin, both versions, and what to do."""
    install(site, "1.0")
    config = {"storage": {"url": str(tmp_path / "x.db")}, "plugins": {"installed": True}}
    async with Hotplane.from_config(config) as host:
        assert host.plugins.get("packaged").state == "active"
        assert "needs-restart" not in {each.outcome for each in await host.reload_plugins()}
        install(site, "2.0")
        (outdated,) = (each for each in await host.reload_plugins() if each.outcome == "needs-restart")
        assert outdated.plugin_id == "packaged"
        assert "restart the host" in outdated.reason
        assert host.plugins.get("packaged").state == "active"
