"""Telling the world."""

from hotplane.events.announcer import Announcer

__all__ = ["Announcer"]
