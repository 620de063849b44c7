"""Runners that ship: `local`."""
