"""The documentation as a site, from the pages as they stand: `sphinx-build -W -c docs/site . site`.

Nothing in it is loaded from elsewhere, so it can be read from a folder, without a server.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from rebalancer.version import __version__

project = "Rebalancer"
version = release = __version__
language = "en"
highlight_language = "text"
extensions = ["myst_parser"]
root_doc = "docs/site/index"
exclude_patterns = [".*", "**/node_modules", "**/.*", "tests", "rebalancer", "benchmarks", "reports", "state"]
include_patterns = [
    "docs/**.md",
    "signals/README.md",
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
]
source_suffix = {".md": "markdown"}
suppress_warnings = ["myst.header", "misc.highlighting_failure"]
nitpicky = True
myst_heading_anchors = 4
html_theme = "furo"
html_title = f"Rebalancer {__version__}"
html_show_sourcelink = False
html_copy_source = False
html_show_sphinx = False
html_extra_path = ["index.html"]
