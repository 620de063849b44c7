"""The command line: `main` is the console script `hotplane`.

It is the topmost room and may import every other one, but only inside commands: `hotplane --help` loads Typer,
`errors` and `version`, and nothing else of weight.
"""

from hotplane.cli.application import main

__all__ = ["main"]
