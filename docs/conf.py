"""Sphinx configuration: Markdown by MyST, warnings are errors (see the Makefile)."""

from hotplane.version import __version__

project = "Hotplane"
author = "The Hotplane developers"
project_copyright = "2026, The Hotplane developers"
release = version = __version__

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = f"Hotplane {release}"
html_show_sphinx = False
