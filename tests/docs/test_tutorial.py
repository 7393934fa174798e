"""A stranger who types the tutorial's commands gets the tutorial's output.

Python's prompts are run by Sphinx's doctest builder; here the consoles are, in the order of the
pages. A page's commands share an empty folder. Lines of three dots stand for any lines.
"""

import doctest
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial"
LIKE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
INSTALL = "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/asysg verify"


def pages() -> list[str]:
    """The pages in the order of the table of contents."""
    return re.findall(r"^   ([a-z-]+)$", (TUTORIAL / "index.rst").read_text(), flags=re.M)


def consoles(text: str) -> list[tuple[str, str]]:
    """The commands of all console blocks of a page, each with the output that is shown."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"^\.\. code-block:: console\n\n((?:   .*\n|\n)+)", text, flags=re.M):
        for line in block.splitlines():
            line = line.removeprefix("   ")
            if line.startswith("$ "):
                found.append((line.removeprefix("$ "), ""))
            elif line.startswith("> ") or line == ">":
                command, shown = found.pop()
                found.append((f"{command}\n{line[2:]}", shown))
            else:
                command, shown = found.pop()
                found.append((command, f"{shown}{line}\n"))
    return [(command, shown.strip("\n")) for command, shown in found]


def typed() -> list[str]:
    """Pages that show a console besides the installation."""
    return [page for page in pages() if commands(page)]


def commands(page: str) -> list[tuple[str, str]]:
    found = consoles((TUTORIAL / f"{page}.rst").read_text())
    return [(command, shown) for command, shown in found if command != INSTALL]


def test_the_tutorial_begins_with_the_command_of_the_readme():
    assert consoles((TUTORIAL / "first-run.rst").read_text())[0] == (INSTALL, "")
    assert f"\n{INSTALL}\n" in (ROOT / "README.md").read_text()


def test_python_finds_the_package_in_the_folder_of_the_sources():
    command = [sys.executable, "-c", "import asysg; asysg.minimize"]
    subprocess.run(command, cwd=ROOT, check=True)


def test_every_page_is_in_the_table_of_contents():
    assert sorted([*pages(), "index"]) == sorted(path.stem for path in TUTORIAL.glob("*.rst"))
    assert {"steplength", "own-data"} <= set(typed())


@pytest.mark.parametrize("page", typed())
def test_console_says_what_the_page_shows(page, tmp_path):
    scripts = sysconfig.get_path("scripts")
    for command, shown in commands(page):
        done = subprocess.run(
            ["bash", "-c", command.replace(".venv/bin", scripts)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        # A blank line of the page ends a paragraph of the output; it says no more than that.
        assert doctest.OutputChecker().check_output(
            f"{shown}\n", f"{done.stdout.strip()}\n", LIKE
        ), f"$ {command}\n--- the page\n{shown}\n--- the program\n{done.stdout}"


def test_another_output_would_be_seen():
    like = doctest.OutputChecker().check_output
    assert like("a\n...\nz\n", "a\nb\nc\nz\n", LIKE)
    assert not like("a 1\n", "a 2\n", LIKE)
