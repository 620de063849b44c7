"""The version of Hotplane. Imports nothing."""

__version__ = "0.1.0"
