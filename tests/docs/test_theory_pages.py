"""Every public name of the theory and the page whose statement it computes name each other."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import asysg.theory

PAGES = sorted((Path(__file__).parents[2] / "docs" / "explanation").glob("*.rst"))
NAMED = set(re.findall(r"asysg\.theory(?:\.\w+)*", "\n".join(page.read_text() for page in PAGES)))
TEXTS = {text.split("\n", 1)[0]: text for text in (page.read_text() for page in PAGES)}
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


#: Where a constant, which has no docstring, is defined: a comment above it names its source.
CONSTANTS = {
    "asysg.theory.ADAPTIVE": ("_adaptive", "FORM"),
    "asysg.theory.FORMS": ("_frame", "FORMS"),
    "asysg.theory.planner.METHODS": ("planner", "METHODS"),
    "asysg.theory.testing.TOTAL_FALSE_ALARM": ("_outcome", "TOTAL_FALSE_ALARM"),
}
#: A statement by its name, of this package or of a paper.
STATEMENT = re.compile(r"(?:Theorems?|Corollar(?:y|ies)|Lemma|Assumption) [0-9A-Z]")
#: A page by its title: documentation, "The theorems" and "Setting and assumptions".
PLACE = re.compile(r'documentation, (".+?"(?:(?: and|, section) ".+?")*)')


def offered() -> dict[str, object]:
    """Everything public by its dotted name, but for modules and errors."""
    found = {f"asysg.theory.{name}": getattr(asysg.theory, name) for name in asysg.theory.__all__}
    for module in MODULES:
        part = found.pop(f"asysg.theory.{module}")
        found |= {f"asysg.theory.{module}.{name}": getattr(part, name) for name in part.__all__}
    errors = ("asysg.theory.CertificateError", "asysg.theory.InvalidArgument")
    return {name: thing for name, thing in found.items() if name not in errors}


OFFERED = offered()


def words(name: str) -> str:
    """Return the docstring of a public name in one line, or the comment above a constant."""
    if name not in CONSTANTS:
        return " ".join(OFFERED[name].__doc__.split())
    file, own = CONSTANTS[name]
    source = inspect.getsource(importlib.import_module(f"asysg.theory.{file}"))
    above = re.search(rf"^((?:#: .*\n)*){own}\b.* = ", source, re.MULTILINE)
    return " ".join(above[1].replace("#:", "").split())


@pytest.mark.parametrize("name", OFFERED)
def test_every_docstring_names_its_source(name):
    said = words(name)
    named = []
    for place in PLACE.findall(said):
        for section, title in re.findall(r'(section )?"(.+?)"', place):
            if section:
                assert re.search(rf"^{re.escape(title)}$", named[-1], re.MULTILINE)
            else:
                named.append(TEXTS[title])
    assert said.count("documentation, ") == len(PLACE.findall(said))
    if named:
        assert any(re.search(rf"\b{name.rpartition('.')[2]}\b", page) for page in named)
    else:
        assert STATEMENT.search(said)


def test_constants_are_all_that_has_no_docstring_of_its_own():
    assert {name for name, thing in OFFERED.items() if not callable(thing)} == set(CONSTANTS)
