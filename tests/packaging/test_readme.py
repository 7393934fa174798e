"""The README keeps its promises: the commands are these, and its example runs."""

import doctest
import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
RUN = "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/asysg verify"
TEST = "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.M | re.S)


@pytest.mark.parametrize("command", [RUN, TEST])
def test_each_command_is_a_block_of_its_own(command):
    assert f"{command}\n" in blocks("console")


def test_ci_runs_the_test_command_of_the_readme():
    (pattern,) = re.findall(r'grep -E "(.*)" README.md', (ROOT / ".ci/run").read_text())
    assert [line for line in README.splitlines() if re.search(pattern, line)] == [TEST]


def test_commands_name_what_the_project_defines():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"test", "docs", "dev"} <= set(project["optional-dependencies"])
    assert project["scripts"] == {"asysg": "asysg.cli:main"}
    assert project["requires-python"] == ">=3.11"
    assert "Python ≥ 3.11" in README


def lines_of_code(block: str) -> int:
    return sum(line.startswith((">>> ", "... ")) for line in block.splitlines())


@pytest.mark.parametrize("number", [0, 1])
def test_quick_start_runs_and_is_short(number):
    """The built-in objective, then one's own."""
    block = blocks("python")[number]
    assert len(blocks("python")) == 2
    assert lines_of_code(block) < 20
    test = doctest.DocTestParser().get_doctest(block, {}, "README.md", "README.md", 0)
    assert len(test.examples) >= 5
    said = []
    outcome = doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert outcome.failed == 0, "".join(said)


#: Workload, its unit, and who stands in the columns.
PEERS = {
    "W1": (
        "ns", "asysg atomic", "asysg replica", "C++", "C++ replica", "numba", "scikit-learn SGD"
    ),
    "W2": (
        "ns", "asysg atomic", "asysg replica", "C++", "C++ replica", "numba fastmath",
        "scikit-learn SGD",
    ),
    "W3-1": (
        "us", "asysg atomic", "asysg replica", None, None, "PyTorch float64", "scikit-learn MLP"
    ),
    "W3-100": (
        "us", "asysg atomic", "asysg replica", None, None, "PyTorch float64", "scikit-learn MLP"
    ),
}  # fmt: skip


def cells(line: dict) -> list[str]:
    """Return the cells of a workload: one and two threads of each, as the README writes them."""
    unit, one, two, by_hand, in_two, peer, learn = PEERS[line["workload"]]
    found = {
        (c["name"], c["threads"]): c["ns"]["all"]["median"] / (1 if unit == "ns" else 1000)
        for c in line["contestants"]
    }

    def pair(alone: str | None, both: str | None) -> str:
        times = [found.get((alone, 1)), found.get((both, 2))]
        written = (f"{time:.{1 if time < 100 else 0}f}" for time in times if time is not None)
        return " / ".join(written) or "–"

    name = "" if peer == "numba" else f" ({peer.removeprefix('numba ')})"
    return [pair(one, two), pair(by_hand, in_two), pair(peer, peer) + name, pair(learn, learn)]


def test_the_comparison_with_peers_is_that_of_the_record():
    record = json.loads((ROOT / "benchmarks/records/2-cores.json").read_text())
    lines = [line for line in record["workloads"] if line["workload"] in PEERS]
    assert len(lines) == len(PEERS)
    for line in lines:
        assert f"| {' | '.join(cells(line))} |\n" in README


def test_links_lead_somewhere():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_citation_and_changelog_have_the_version_and_the_paper():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {version}\n" in citation
    assert version in (ROOT / "CHANGELOG.md").read_text()
    title = "Asynchronous Parallel Stochastic Gradient for Nonconvex Optimization"
    assert title in citation
    assert title in README.replace("\n> ", " ")
