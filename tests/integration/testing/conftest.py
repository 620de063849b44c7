"""The fixtures that plugin authors get."""

from hotplane.testing.pytest_plugin import hotplane_clock, hotplane_context, hotplane_host, hotplane_receiver

__all__ = ["hotplane_clock", "hotplane_context", "hotplane_host", "hotplane_receiver"]
