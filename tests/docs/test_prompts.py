"""Prompts of the README, the tutorial and the how-to guides can be typed as they stand.

Sphinx's doctest builder runs them, but with NumPy and the package imported beforehand, and its
parser ends a block without the empty line that an interpreter waits for.
"""

import ast
import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "docs" / "tutorial", ROOT / "docs" / "how-to")
PAGES = [ROOT / "README.md", *sorted(path for folder in FOLDERS for path in folder.glob("*.rst"))]
IMPORTED = ("np", "asysg")


COMPOUND = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.If, ast.With, ast.Try)


def unended(text: str) -> list[str]:
    """Return the prompts before which an interpreter would still wait for an empty line."""
    found = []
    # A prompt with the lines that go on from it, and the prompt that follows at once.
    for block, after in re.findall(r"^ *(>>> .*\n(?: *\.\.\. .*\n)+)(?= *(>>> .*)\n)", text, re.M):
        source = "".join(line.strip()[4:] + "\n" for line in block.splitlines())
        if isinstance(ast.parse(source).body[0], COMPOUND):
            found.append(after)
    return found


def missing(text: str) -> list[str]:
    """Return the names that prompts use before they import them."""
    source = "".join(example.source for example in doctest.DocTestParser().get_examples(text))
    found = []
    for name in IMPORTED:
        used = re.search(rf"^(?!from ).*(?<![\w.]){name}\.", source, flags=re.M)
        made = re.search(rf"^import .*\b{name}\b", source, flags=re.M)
        if used and (made is None or used.start() < made.start()):
            found.append(name)
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_prompts_can_be_typed(path):
    text = path.read_text()
    assert unended(text) == []
    assert missing(text) == []


def test_what_could_not_be_typed_would_be_seen():
    block = ">>> def f(x):\n...     return x\n{}>>> f(1)\n1\n"
    assert unended(block.format("")) == [">>> f(1)"]
    assert unended(block.format("...\n")) == []
    assert unended(">>> f(1,\n...   2)\n>>> f(3)\n") == []
    assert missing(">>> x = np.zeros(3)\n>>> import numpy as np\n") == ["np"]
    assert missing(">>> import numpy as np, asysg\n>>> asysg.minimize(np.ones(2))\n") == []
