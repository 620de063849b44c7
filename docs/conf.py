"""Sphinx configuration: Markdown by MyST, the Python reference by autodoc, warnings are errors (see the Makefile)."""

from hotplane.version import __version__

project = "Hotplane"
author = "The Hotplane developers"
project_copyright = "2026, The Hotplane developers"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
suppress_warnings = [
    "misc.highlighting_failure",
    "ref.python",  # the built-in `type` in a signature is taken for one of our fields of that name
]

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_use_rtype = False
default_role = "code"  # docstrings write `name`, as Markdown does
nitpick_ignore_regex = [
    # Types of other libraries, whose documentation is not read here, and what is internal.
    (r"py:.*", r"(?!hotplane\.(plugins|records|client|testing|routing)\.[A-Z]).*"),
]

html_theme = "furo"
html_title = f"Hotplane {release}"
html_show_sphinx = False
