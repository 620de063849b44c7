"""`python -m hotplane` is the same as the command `hotplane`. Imports only `hotplane.cli`."""

from __future__ import annotations

import sys

from hotplane.cli import main

if __name__ == "__main__":
    sys.exit(main())
