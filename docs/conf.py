"""How Sphinx builds the site: `make docs`.

The API reference is made from the docstrings of the package in `src/`. Its modules are imported,
but the large libraries below them are not: TensorFlow alone would take longer than all the rest.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

project = "Unspool"
author = "the authors of Unspool"
copyright = "the authors of Unspool, Apache-2.0"
release = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.M)[1]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}

myst_heading_anchors = 3  # links such as report.md#a-figure, as GitHub has them

autodoc_mock_imports = [
    "ai_edge_litert",
    "keras",
    "litert_quantizer",
    "tensorflow",
    "tflite_micro",
    # asks Keras for its backend, which a stand-in has not
    "unspool.support._tensorflow",
]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
napoleon_use_rtype = False
napoleon_use_ivar = True
default_role = "py:obj"  # `name` in a docstring links to the name, where the reference has it

highlight_language = "none"  # blocks that name no language show what a command prints

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = "Unspool"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {"footer_icons": []}
