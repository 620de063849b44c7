"""The composition root: builds a `Hotplane` from its configuration. The only room that knows every other one."""

from hotplane.app.host import Hotplane

__all__ = ["Hotplane"]
