"""Sphinx configuration."""

from importlib.metadata import version as installed

project = "asysg"
author = "The asysg developers"
copyright = "The asysg developers, BSD-3-Clause"
release = version = installed("asysg")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "examples", "gallery/*.ipynb", "gallery/*.md5"]
templates_path = ["_templates"]
default_role = "py:obj"

autosummary_generate = True
autosummary_imported_members = False
autodoc_typehints = "none"
numpydoc_show_class_members = False
# Docstrings are tested where they stand (pytest); here the pages are.
doctest_test_doctest_blocks = "default"
doctest_global_setup = "import numpy as np, asysg"

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "min_reported_time": 1e9,
    "abort_on_example_error": True,
}

html_theme = "pydata_sphinx_theme"
html_title = "asysg"
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False}
