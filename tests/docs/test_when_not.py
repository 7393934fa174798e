"""What the page on when not to use it says of times is what the committed record says."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/explanation/when-not.rst").read_text()
RECORD = json.loads((ROOT / "benchmarks/records/2-cores.json").read_text())
TIMES = {
    (line["workload"], c["name"], c["threads"]): c["ns"]["all"]["median"]
    for line in RECORD["workloads"]
    for c in line["contestants"]
}
WORDS = " ".join(PAGE.split())


def written(nanoseconds: float) -> str:
    """Return a time as the page's table writes it, with three digits."""
    rounded = float(f"{nanoseconds:.3g}")
    return f"{rounded:,.0f}" if rounded >= 10_000 else f"{rounded:.0f}"


def test_dense_updates():
    slower = []
    for what, name in (
        ("atomic adds to a shared x", "asysg atomic"),
        ("load and store (loses updates)", "asysg lossy"),
        ("private copies (``update=\"replica\"``)", "asysg replica"),
    ):  # fmt: skip
        one, two = (TIMES["W2", name, threads] for threads in (1, 2))
        assert f"{what} {written(one)} {written(two)}" in WORDS
        slower.append(two / one)
    assert f"The two first are {slower[0]:.0f} and {slower[1]:.0f} times *slower*" in WORDS


def test_updates_a_second_are_not_progress():
    of = [TIMES["W3-10", name, p] for name, p in (("asysg atomic", 1), ("asysg replica", 2))]
    assert f"made {of[0] / of[1]:.1f} times as many updates a second on two threads" in WORDS
    assert f"({of[1] / 1e3:.2f} microseconds a sample in place of {of[0] / 1e3:.2f})" in WORDS
    of = [TIMES["target-W3-10", name, p] for name, p in (("asysg atomic", 1), ("asysg replica", 2))]
    assert f"*longer* to the target: {of[1] / 1e6:.0f} ms against {of[0] / 1e6:.0f}." in WORDS


def test_rows_in_their_order():
    theirs = TIMES["target-W1", "scikit-learn SGD, sequential", 1] / 1e6
    ours = TIMES["target-W1", "asysg atomic", 1] / 1e6
    assert f"in {theirs:.0f} ms on one thread where ours took {ours:.0f} ms" in WORDS
