"""Every public name of the theory is named on the page whose statement it computes."""

import importlib
import re
from pathlib import Path

import pytest

import asysg.theory

PAGES = sorted((Path(__file__).parents[2] / "docs" / "explanation").glob("*.rst"))
NAMED = set(re.findall(r"asysg\.theory(?:\.\w+)*", "\n".join(page.read_text() for page in PAGES)))
MODULES = ("con", "incon", "moments", "baselines", "planner", "adversarial", "testing")


def public(module: str) -> list[str]:
    """Dotted names of what a module of the theory offers, constants left out."""
    names = importlib.import_module(f"asysg.theory.{module}").__all__
    return [f"asysg.theory.{module}.{name}" for name in names if not name.isupper()]


@pytest.mark.parametrize("module", MODULES)
def test_every_function_stands_beside_its_statement(module):
    assert sorted(set(public(module)) - NAMED) == []


def test_every_name_of_the_package_itself_is_explained():
    own = {f"asysg.theory.{name}" for name in asysg.theory.__all__ if name not in MODULES}
    errors = {f"asysg.theory.{name}" for name in ("CertificateError", "InvalidArgument")}
    assert sorted(own - NAMED - errors) == []


def test_no_page_names_what_does_not_exist():
    for name in sorted(NAMED):
        found = asysg.theory
        for part in name.split(".")[2:]:
            found = getattr(found, part)
