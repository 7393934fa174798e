"""The budget of false alarms is kept, by everybody; its assertions can fail and say so."""

import ast
import math
from pathlib import Path

import numpy as np
import pytest

from tests.budget import SHARES, TOTAL, alpha, assert_mean, assert_proportion, assert_uniform

TESTS = Path(__file__).parent
#: Exact values of the functions that take a false alarm: arithmetic, no chance.
ARITHMETIC = {"theory/test_testing.py", "test_budget.py", "theory/test_martingale.py"}
#: Names that mean a probability of error, and what decides by one.
SPEAKING = ("alpha", "p_value", "pvalue")


def sources():
    return {str(p.relative_to(TESTS)): ast.parse(p.read_text()) for p in TESTS.rglob("*.py")}


def literal(node):
    """Tell whether an expression is a number written down."""
    numbers = [n for n in ast.walk(node) if isinstance(n, ast.Constant | ast.BinOp | ast.UnaryOp)]
    named = [n for n in ast.walk(node) if isinstance(n, ast.Name | ast.Call)]
    return bool(numbers) and not named


def speaks(node):
    name = getattr(node, "id", None) or getattr(node, "attr", None) or ""
    return any(word in name.lower() for word in SPEAKING)


def private(tree):
    """Yield the lines that give a statistical assertion a false alarm of its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "alpha" and literal(node.value):
            yield node.value.lineno
        elif isinstance(node, ast.Assign) and literal(node.value):
            yield from (node.lineno for target in node.targets if speaks(target))
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(map(speaks, sides)) and any(literal(s) and small(s) for s in sides):
                yield node.lineno


def small(node):
    return 0 < abs(ast.literal_eval(node)) < 0.5 if isinstance(node, ast.Constant) else True


def test_the_shares_sum_to_the_total():
    assert math.fsum(SHARES.values()) <= TOTAL == 1e-6
    assert min(SHARES.values()) > 0


def test_every_share_is_spent_in_one_place():
    spent = {name: [] for name in SHARES}
    for file, tree in sources().items():
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        for call in calls:
            if getattr(call.func, "id", "") == "alpha" and file not in (
                "budget.py",
                "test_budget.py",
            ):
                spent[call.args[0].value].append(file)
    files = {name: set(found) for name, found in spent.items()}
    assert {name: len(found) for name, found in files.items()} == dict.fromkeys(SHARES, 1)


def test_nobody_has_a_false_alarm_of_his_own():
    found = {
        file: lines
        for file, tree in sources().items()
        if file not in ARITHMETIC and (lines := list(private(tree)))
    }
    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        "evidence_against(z, 1.0, alpha=1e-6)",
        "ALPHA = 3e-8",
        "ALPHA = 1e-7 / 3",
        "assert chisquare(x).pvalue > 1e-9",
        "assert 0.01 < found.p_value",
    ],
)
def test_a_private_false_alarm_is_found(line):
    assert list(private(ast.parse(line))) == [1]


def test_the_assertions_can_fail():
    rng = np.random.default_rng(0)
    sample = rng.standard_normal(10_000)
    assert_mean(sample, 0.0, alpha=1e-6, detects=0.08)
    with pytest.raises(AssertionError, match="equality"):
        assert_mean(sample + 0.08, 0.0, alpha=1e-6, detects=0.08)
    with pytest.raises(AssertionError, match="finds a difference of"):
        assert_mean(sample, 0.0, alpha=1e-6, detects=0.01)
    assert_uniform([1000, 1000, 1010], alpha=1e-6, detects=0.2)
    with pytest.raises(AssertionError, match="pvalue"):
        assert_uniform([1000, 1000, 1400], alpha=1e-6, detects=0.2)
    with pytest.raises(AssertionError, match="has power"):
        assert_uniform([1000, 1000, 1010], alpha=1e-6, detects=0.02)
    assert_proportion(300, 1000, 0.3, alpha=1e-6, detects=0.12)
    with pytest.raises(AssertionError, match="pvalue"):
        assert_proportion(450, 1000, 0.3, alpha=1e-6, detects=0.12)
    with pytest.raises(AssertionError, match="finds a difference of"):
        assert_proportion(300, 1000, 0.3, alpha=1e-6, detects=0.02)


def test_an_unknown_share_is_refused():
    with pytest.raises(KeyError):
        alpha("whatever")
