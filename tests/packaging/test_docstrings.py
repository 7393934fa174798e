"""Every public name is documented by numpydoc's rules, as far as they make sense here."""

import ast
import inspect
import textwrap
from dataclasses import is_dataclass

import numpydoc.validate as numpydoc
import pytest

import asysg

#: What numpydoc may not find fault with. Left out are matters of taste (imperatives, capitals, full
#: stops, "See Also") and its own count of parameters, which does not look among the attributes.
RULES = {
    "GL05": "no tabs",
    "GL06": "no section it does not know",
    "GL07": "sections in their order",
    "GL08": "a docstring",
    "GL10": "directives end in two colons",
    "SS01": "a summary",
    "SS03": "which ends in a full stop",
    "SS04": "and begins at the margin",
    "PR02": "no parameter that is not there",
    "PR07": "each parameter described",
    "PR10": "a space before the colon of a type",
    "YD01": "what a generator yields",
}


def public(module, name: str) -> dict[str, object]:
    """Return our functions and classes by their public names, of a package and what it lists."""
    found = {}
    for key in module.__all__:
        thing = getattr(module, key)
        if inspect.ismodule(thing):
            found |= public(thing, f"{name}.{key}")
        elif callable(thing) and thing.__module__.startswith("asysg"):
            found[f"{name}.{key}"] = thing
    return found


PUBLIC = public(asysg, "asysg")


def members(thing: object) -> list[str]:
    """Return the public methods and properties that a class of ours defines."""
    if not isinstance(thing, type):
        return []
    return [
        key
        for key, value in vars(thing).items()
        if not (key.startswith("_") or key in getattr(thing, "__dataclass_fields__", ()))
        and (inspect.isroutine(value) or isinstance(value, property) or hasattr(value, "func"))
    ]


def told(thing: object, *sections: str) -> set[str]:
    """Return the names that these sections of a docstring describe."""
    parsed = numpydoc.get_doc_object(thing)
    return {
        name.strip("* ")
        for section in sections
        for entry in parsed[section]
        for name in entry.name.split(",")
    }


def arguments(thing: object) -> set[str]:
    return {key for key in inspect.signature(thing).parameters if not key.startswith("_")}


def is_record(thing: object) -> bool:
    """Whether it is a class of named fields, or an exception: the functions that make them tell."""
    return isinstance(thing, type) and (is_dataclass(thing) or issubclass(thing, Exception))


def made_elsewhere(thing: object) -> bool:
    """Whether it is a class whose objects a function of ours makes."""
    return isinstance(thing, type) and "made by `" in (inspect.getdoc(thing) or "")


def statements(thing: object) -> list[ast.AST]:
    """Return the nodes of a function, or of what makes an object, without functions inside."""
    if isinstance(thing, type):
        thing = vars(thing).get("__post_init__" if is_dataclass(thing) else "__init__")
        if thing is None:
            return []
    found, left = [], list(ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0].body)
    while left:
        node = left.pop()
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            found.append(node)
            left += ast.iter_child_nodes(node)
    return found


def refuses(thing: object) -> bool:
    """Whether it raises by its own hand, or through the checks of arguments in `_check`."""
    known = vars(inspect.getmodule(thing))
    for node in statements(thing):
        if isinstance(node, ast.Raise):
            return True
        if isinstance(node, ast.Call):
            owner, _, name = ast.unparse(node.func).rpartition(".")
            called = known.get(name) if not owner else None
            if owner == "_check" or getattr(called, "__module__", None) == "asysg._check":
                return True
    return False


@pytest.mark.parametrize("name", PUBLIC)
def test_docstring_keeps_the_rules(name):
    faults = [
        (each, code, said)
        for each in (name, *(f"{name}.{key}" for key in members(PUBLIC[name])))
        for code, said in numpydoc.validate(each)["errors"]
        if code in RULES
    ]
    assert faults == []


@pytest.mark.parametrize("name", [name for name in PUBLIC if not made_elsewhere(PUBLIC[name])])
def test_every_argument_is_described(name):
    thing = PUBLIC[name]
    if isinstance(thing, type) and issubclass(thing, Exception):
        assert vars(thing).get("__init__") is None
    else:
        assert arguments(thing) - told(thing, "Parameters", "Attributes") == set()


@pytest.mark.parametrize("name", PUBLIC)
def test_what_comes_back_and_what_is_raised_are_described(name):
    thing = PUBLIC[name]
    sections = numpydoc.get_doc_object(thing)
    if not isinstance(thing, type):
        returns = any(isinstance(node, ast.Return) and node.value for node in statements(thing))
        assert bool(sections["Returns"]) == returns
    if not made_elsewhere(thing):
        assert sections["Raises"] or not refuses(thing)


@pytest.mark.parametrize("name", [name for name in PUBLIC if not is_record(PUBLIC[name])])
def test_what_users_call_has_an_example(name):
    """That the examples run and are right is for the doctests of the documentation."""
    thing = PUBLIC[name]
    examples = "\n".join(numpydoc.get_doc_object(thing)["Examples"])
    assert ">>> " in examples or made_elsewhere(thing)


def test_the_checks_see_what_is_there():
    """Neither an empty list of names nor a blind look at a function passes for order."""
    assert len(PUBLIC) > 150
    assert {"asysg.minimize", "asysg.objectives.Quadratic", "asysg.theory.con.bound"} <= set(PUBLIC)
    assert refuses(asysg.simulate.delays.uniform)
    assert not refuses(asysg.simulate.comparisons.draw)
