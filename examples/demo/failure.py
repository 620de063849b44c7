"""The one exception of the demo: something failed, and the message is all that the viewer needs. Imports nothing."""

from __future__ import annotations

__all__ = ["DemoFailed"]


class DemoFailed(Exception):
    """The demo cannot go on; the message says why and what to do."""
