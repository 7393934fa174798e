"""Sphinx configuration."""

import contextlib
import io
import os
import re
import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # pictures.py

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
    # MathJax from an installed package: pages need no network.
    "sphinx-mathjax-offline",
]
exclude_patterns = ["_build", "examples", "figures", "gallery/*.ipynb", "gallery/*.md5"]
templates_path = ["_templates"]
default_role = "py:obj"
# What is written `asysg.…` must exist. Other names in backticks are parameters, mostly, and the
# bases that several objectives share have no page.
nitpicky = True
nitpick_ignore_regex = [
    ("py:obj", r"(?!asysg\.).*"),
    ("py:class", r"(?!asysg\.).*|asysg\.objectives\.(\w+\._\w+|_\w+\.\w+)"),
    ("py:exc", r"(?!asysg\.).*"),
]

autosummary_generate = True
autosummary_imported_members = False
autodoc_typehints = "none"
numpydoc_show_class_members = False
# The doctest builder runs the pages and, through the reference, every docstring.
doctest_test_doctest_blocks = "default"
doctest_global_setup = """
import numpy as np, asysg
from importlib.util import find_spec
"""

sphinx_gallery_conf = {
    "image_scrapers": ("matplotlib", "pictures.scrape"),
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "min_reported_time": 1e9,
    "abort_on_example_error": True,
    "write_computation_times": False,  # a page that loads scripts from elsewhere
}

html_theme = "pydata_sphinx_theme"
html_title = "asysg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_context = {"default_mode": "auto"}
html_domain_indices = False
html_favicon = "_static/mark.svg"
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False}


COMMANDS = (
    "run", "diagnose", "plan", "compare", "speedup", "calibrate", "cifar", "phase",
    "reproduce", "verify", "info",
)  # fmt: skip


def help_of_the_commands(app):
    """Write what ``--help`` prints, so that the reference is the program's own."""
    from asysg.cli import main

    os.environ["COLUMNS"] = "90"
    folder = Path(app.srcdir, "reference", "generated")
    folder.mkdir(parents=True, exist_ok=True)
    for command in ((), *((name,) for name in COMMANDS)):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            main([*command, "--help"])
        Path(folder, "-".join(("asysg", *command)) + ".txt").write_text(said.getvalue())


def bars_are_absolute_values(app, what, name, obj, options, lines):
    """Take |x| in the prose of a docstring as written: we use no substitutions."""
    in_math = False
    for number, line in enumerate(lines):
        if line.strip():
            in_math = line.lstrip().startswith(".. math::") or (in_math and line[0] == " ")
        if not in_math and not line.lstrip().startswith((">>>", "...")):
            lines[number] = re.sub(r"(`+[^`]*`+)|\|", lambda m: m[1] or r"\|", line)


def setup(app):
    app.connect("builder-inited", help_of_the_commands, priority=100)
    # After numpydoc, which has the default priority.
    app.connect("autodoc-process-docstring", bars_are_absolute_values, priority=900)
