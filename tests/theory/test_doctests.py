"""Every example in the documentation of the theory runs and is right."""

import doctest
import importlib
import pkgutil

import pytest

from asysg import theory

MODULES = ["asysg.theory"] + [
    f"asysg.theory.{m.name}" for m in pkgutil.iter_modules(theory.__path__)
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    found = doctest.testmod(module)
    assert found.failed == 0


PUBLIC = [
    theory.adversarial,
    theory.baselines,
    theory.con,
    theory.incon,
    theory.moments,
    theory.planner,
    theory.testing,
]


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_function_has_an_example(module):
    for name in module.__all__:
        thing = getattr(module, name)
        if callable(thing) and not isinstance(thing, type):
            assert ">>>" in thing.__doc__, name
            for section in ("Parameters", "Returns", "Raises"):
                assert f"{section}\n    -----" in thing.__doc__, (name, section)
