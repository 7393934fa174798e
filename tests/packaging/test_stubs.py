"""The hand-kept stubs beside the compiled modules say what those modules have."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "asysg" / "_core"
COMPILED = sorted(path.stem for path in CORE.glob("*.pyx"))


def parameters(node: ast.FunctionDef) -> list[str]:
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return [argument.arg for argument in every]


def differences(body: list[ast.stmt], owner: object, where: str) -> list[str]:
    """Compare the definitions of a stub with what they describe."""
    found = []
    for node in body:
        name = getattr(node, "name", None)
        if isinstance(node, ast.AnnAssign):
            name = node.target.id
        if name is None:
            continue
        if not hasattr(owner, name):
            found.append(f"{where}.{name} is not in the module")
        elif isinstance(node, ast.ClassDef):
            found += differences(node.body, getattr(owner, name), f"{where}.{name}")
        elif (
            isinstance(node, ast.FunctionDef)
            and not node.decorator_list
            # Cython keeps the parameters of neither where `inspect` finds them.
            and name not in ("__init__", "__new__")
        ):
            has = list(inspect.signature(getattr(owner, name)).parameters)
            if has != parameters(node):
                found.append(f"{where}.{name} takes {has}, its stub says {parameters(node)}")
    return found


@pytest.mark.parametrize("name", COMPILED)
def test_stub_agrees_with_module(name):
    stub = ast.parse((CORE / f"{name}.pyi").read_text())
    module = importlib.import_module(f"asysg._core.{name}")
    assert differences(stub.body, module, name) == []


@pytest.mark.parametrize("name", COMPILED)
def test_stub_leaves_no_public_function_or_class_out(name):
    stub = ast.parse((CORE / f"{name}.pyi").read_text())
    said = {node.name for node in stub.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    module = importlib.import_module(f"asysg._core.{name}")
    public = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_")
        and (inspect.isclass(value) or callable(value))
        and getattr(value, "__module__", None) == module.__name__
    }
    assert public - said == set()
