"""How Sphinx makes the site: `sphinx-build -W -n docs site`.

First, `run_pages` runs the code blocks of every page: they are known to work, and pages can show what they printed.
With STEINHAUS_DOCS_KEEP, a build uses the output that an earlier one left.

Nothing is read from the network. With STEINHAUS_DOCS_LINKS, inventories are: then names of NumPy, SciPy, scikit-learn
and Python link to their own pages.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "src"))

import run_pages  # noqa: E402
from sphinx.addnodes import pending_xref  # noqa: E402

import steinhaus  # noqa: E402

project = "Steinhaus"
author = "the Steinhaus contributors"
copyright = author
version = release = steinhaus.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_runs", "**/sg_execution_times.rst"]
default_role = "code"
nitpicky = True
nitpick_ignore_regex = [(r"py:(class|exc|obj)", r"(?!steinhaus\.).*")]  # types in words, and other packages' names

myst_enable_extensions = ["colon_fence", "attrs_block", "deflist"]
myst_heading_anchors = 4

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
napoleon_google_docstring = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "_gallery",
    "filename_pattern": r"/(?!mnist_study|photographs)[^/]*\.py$",  # these need MNIST, or packages of other extras
    "reset_argv": "run_pages.example_arguments",
    "capture_repr": (),
    "image_scrapers": ("matplotlib",),
    "download_all_examples": False,
    "write_computation_times": False,
    "min_reported_time": 1e9,
    "show_signature": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "Steinhaus"
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": [],
}
if os.environ.get("STEINHAUS_DOCS_LINKS"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
    }


def setup(app):
    """Run the pages' code before Sphinx reads them, and put what it printed into them."""
    app.connect("builder-inited", lambda app: run_all())
    app.connect("source-read", shown)
    app.connect("autodoc-skip-member", of_others)
    app.connect("doctree-read", no_names)


def run_all():
    """In a process of its own: pages change their working folder and the backend of figures."""
    if not (os.environ.get("STEINHAUS_DOCS_KEEP") and run_pages.RUNS.exists()):
        subprocess.run([sys.executable, HERE / "run_pages.py"], check=True)


def shown(app, name, source):
    """Fill in the output of a page's blocks."""
    page = HERE / f"{name}.md"
    if page.exists():
        source[0] = run_pages.with_output(page, source[0])


def of_others(app, what, name, member, skip, options):
    """Leave out members that scikit-learn makes, as `set_fit_request`: their docstrings point into its own site."""
    return True if str(getattr(member, "__module__", "")).startswith("sklearn.") else None


def no_names(app, doctree):
    """Words in a type, such as `n` in `(n, d) float64`, are no names: do not look for what they might link to."""
    for node in list(doctree.findall(pending_xref)):
        if node.get("refdomain") == "py" and "." not in node["reftarget"] and node["reftarget"][:1].islower():
            node.replace_self(node.children)
