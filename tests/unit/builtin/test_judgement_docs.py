"""The reference page of samplers and validators: its examples work, and its tables say what the models say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec import Struct

from hotplane.builtin import BUILTIN_TYPES, load_builtin
from hotplane.config import config_from_mapping
from hotplane.plugins import Sampler, Validator

PAGE = (Path(__file__).parents[3] / "docs/reference/judgement.md").read_text()


def blocks(language: str) -> list[str]:
    """Return the page's examples in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("block", blocks("yaml"))
def test_every_configuration_on_the_page_is_accepted(block: str) -> None:
    """By the host, and by the plugins themselves."""
    config = config_from_mapping(yaml.safe_load(block)).config
    for _, entry in config.plugins.entries():
        load_builtin(entry.plugin_type).Config.model_validate(entry.configuration)


def test_the_validator_on_the_page_corrects() -> None:
    """It takes the spaces off, and agrees with what has none."""
    (block,) = blocks("python")
    names: dict[str, Any] = {}
    exec(block, names)

    class Done(Struct):
        output: Any

    corrected = names["TrimSpaces"]().validate(Done(output="a  "), object())
    assert (corrected.valid, corrected.output) == (False, "a")
    assert names["TrimSpaces"]().validate(Done(output="a"), object()).valid


@pytest.mark.parametrize("name", BUILTIN_TYPES)
def test_every_sampler_and_validator_is_on_the_page_with_its_settings(name: str) -> None:
    """And with its priority."""
    plugin = load_builtin(name)
    if not issubclass(plugin, Sampler | Validator):
        return
    assert re.search(rf"^\|[^\n]*`{name}`[^\n]*\| {plugin.priority} \|$", PAGE, re.MULTILINE)
    settings = [field for field in plugin.Config.model_fields if name != "json-schema-validator"]
    assert all(re.search(rf"\b{field}\b", PAGE) for field in settings)
