"""A small spam detector, the program that the demo executes. Standard library only, except `plugins`."""

from examples.spam.detector import classify, detect

__all__ = ["classify", "detect"]
