"""The documentation site: `make docs` builds it.

Pages are Markdown, and the suite runs their code blocks; the gallery's scripts run when
the site is built.
"""

from pathlib import Path

import sksoftmax

ROOT = Path(__file__).resolve().parents[1]

project = "sksoftmax"
author = "the sksoftmax developers"
copyright = author  # noqa: A001, sphinx asks for this name
release = sksoftmax.__version__
version = release

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]

# Pages

source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 3

# API reference

autosummary_generate = True
default_role = "literal"  # of single backticks in docstrings
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # numpydoc has the types, with shapes
numpydoc_show_class_members = False  # the templates list them
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# Gallery

sphinx_gallery_conf = {
    "examples_dirs": str(ROOT / "examples"),
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_",
    "ignore_pattern": r"demo\.py",  # `make demo` runs it
    "within_subsection_order": "FileNameSortKey",  # the course is numbered
    "backreferences_dir": "api/examples",
    "doc_module": ("sksoftmax",),
    "download_all_examples": False,
    "capture_repr": (),  # what is printed, and no <Legend object at 0x...>
    "show_memory": False,
    "min_reported_time": 30,
    "abort_on_example_error": True,
}

# Looks

html_theme = "pydata_sphinx_theme"
html_title = "sksoftmax"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": True,
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}


def is_not_ours(app, what, name, member, skip, options):
    """Whether a member of a class is inherited from a package that documents it."""
    module = getattr(getattr(member, "fget", member), "__module__", None) or ""
    return skip or (what == "class" and not module.startswith("sksoftmax"))


def setup(app):
    """Leave out of the reference what scikit-learn's has."""
    app.connect("autodoc-skip-member", is_not_ours)
