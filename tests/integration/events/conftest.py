"""Stores of both kinds, as the storage room's tests have them."""

from __future__ import annotations

from tests.integration.storage.conftest import postgres, url

__all__ = ["postgres", "url"]
