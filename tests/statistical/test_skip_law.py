"""Skip-ahead has the law of the plain loop: gaps, entries, minibatches, and the final x.

Every null is "the process is that of independent uniform draws of a coordinate and M samples".
Statistics are chi-squares with cells of expectation 20 or more; no more than 30 tests, each at a
false alarm of 1e-9. Power: a relative error e of one cell of probability P is worth a noncentrality
of count * P * e^2; with the counts below 10 % in any cell tested is found with probability > 0.99
where count * P >= 10^4, and the negative controls show that laws which are nearly right (a gap
law 3 % off, entries drawn by columns) are rejected.
"""

import itertools
from collections import Counter

import numpy as np
import pytest
from scipy import sparse, stats

from asysg import objectives
from asysg._core.skip import Skip, columns, structure
from asysg._core.threads import Threads
from tests.budget import alpha

ALPHA = alpha("skip-ahead", 30)
KEY = (12345, 67890)


def law_of(obj, M):
    pattern = structure(obj._capsule)
    return Skip(M, *pattern, *(columns(obj._capsule, pattern[1]) if M > 1 else ()))


def uneven():
    """Rows with 1..7 entries, columns with 1..30 rows, and one of each without any."""
    rng = np.random.default_rng(1)
    there = rng.uniform(size=(40, 25)) < np.linspace(0.01, 0.6, 25)
    there[5] = there[:, 3] = False
    A = sparse.csr_array(np.where(there, 1.0, 0.0))
    return objectives.SineRegression(A, np.zeros(40)), A


def pvalue(observed, expected):
    """Chi-square, with cells of small expectation put together."""
    order = np.argsort(expected)[::-1]
    observed, expected = np.asarray(observed)[order], np.asarray(expected, dtype=float)[order]
    small = expected < 20
    if small.any():
        first = min(int(np.argmax(small)), len(expected) - 2)
        observed = np.append(observed[:first], observed[first:].sum())
        expected = np.append(expected[:first], expected[first:].sum())
    assert abs(observed.sum() - expected.sum()) < 1e-6 * expected.sum()
    statistic = ((observed - expected) ** 2 / expected).sum()
    return stats.chi2.sf(statistic, len(expected) - 1)


def cells(gaps, q):
    """Counts of gaps 0, 1, ... and more, with their geometric expectations."""
    top = max(2, int(np.log(20 / (len(gaps) * q)) / np.log1p(-q)))
    expected = len(gaps) * q * (1 - q) ** np.arange(top)
    return np.bincount(np.minimum(gaps, top), minlength=top + 1), np.append(
        expected, len(gaps) - expected.sum()
    )


@pytest.mark.parametrize("M", [1, 3])
def test_gaps_are_geometric_and_independent(M):
    """Null: P(G = g) = q (1 - q)^g across the blocks too, one gap independent of the last."""
    obj, A = uneven()
    law = law_of(obj, M)
    N, n = A.shape
    counts = np.bincount(A.indices, minlength=n)
    q = (1 - (1 - counts / N) ** M).sum() / n
    assert law.share == pytest.approx(q, rel=1e-12)
    draws = np.array([draw for draw, *_ in law.hits(KEY, 2_000_000)])
    assert draws[-1] > 1000 * law.block  # a thousand blocks: the seams count
    gaps = np.diff(draws) - 1
    assert pvalue(*cells(gaps, q)) > ALPHA
    edges = [0, *np.quantile(gaps, [0.25, 0.5, 0.75]).astype(int).tolist(), gaps.max() + 1]
    where = np.searchsorted(np.unique(edges)[1:-1], gaps, side="right")
    share = np.bincount(where) / len(gaps)
    pairs = np.bincount(where[:-1] * len(share) + where[1:], minlength=len(share) ** 2)
    assert pvalue(pairs, (len(gaps) - 1) * np.outer(share, share).ravel()) > ALPHA
    # Where the hits lie in a block: uniform, at its end too.
    per_slot = np.bincount(draws % law.block, minlength=law.block)[: law.block]
    whole = draws[-1] // law.block
    per_slot = np.bincount(draws[draws < whole * law.block] % law.block, minlength=law.block)
    observed = [per_slot.sum(), whole * law.block - per_slot.sum()]
    assert pvalue(observed, whole * law.block * np.array([q, 1 - q])) > ALPHA
    assert pvalue(per_slot, np.full(law.block, per_slot.sum() / law.block)) > ALPHA
    # Negative control: the law of a q that is 3 % too large.
    assert pvalue(*cells(gaps, 1.03 * q)) < ALPHA


def test_entries_are_uniform_and_independent():
    """Null for M = 1: all stored entries are equally likely, whatever the last one was."""
    obj, A = uneven()
    entries = np.array(
        [A.indptr[rows[0]] + place for _, place, rows in law_of(obj, 1).hits(KEY, 2_000_000)]
    )
    uniform = np.full(A.nnz, len(entries) / A.nnz)
    assert pvalue(np.bincount(entries, minlength=A.nnz), uniform) > ALPHA
    blocks = entries * 12 // A.nnz
    share = np.bincount(np.arange(A.nnz) * 12 // A.nnz) / A.nnz
    pairs = np.bincount(blocks[:-1] * 12 + blocks[1:], minlength=144)
    assert pvalue(pairs, (len(entries) - 1) * np.outer(share, share).ravel()) > ALPHA
    # Negative control: a uniform column first, then a uniform row of it.
    counts = np.bincount(A.indices, minlength=25)
    columnwise = len(entries) / (24 * counts[A.indices])
    assert pvalue(np.bincount(entries, minlength=A.nnz), columnwise) < ALPHA


PATTERNS = {
    "uneven": [[1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 0]],
    "full column": [[1, 0, 0], [1, 1, 0], [1, 0, 1]],
    "one entry": [[0, 0], [0, 1], [0, 0]],
}


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("M", [1, 2, 4])
def test_draws_have_the_law_of_the_plain_loop(name, M):
    """Null: the exact law, by enumeration of every coordinate and minibatch.

    Cells: what the update adds up, i.e. the coordinate and the rows of it that were sampled, in
    their order, and none for an update that is zero. So the test sees q, the columns' chances, the
    number of rows hit, and the rows, jointly.
    """
    A = sparse.csr_array(np.array(PATTERNS[name], dtype=float))
    N, n = A.shape
    there = A.toarray() != 0
    law = Counter()
    for i, *samples in itertools.product(range(n), *[range(N)] * M):
        rows = tuple(j for j in samples if there[j, i])
        law[(i, rows) if rows else None] += 1 / (n * N**M)
    draws = 200_000
    seen = Counter()
    obj = objectives.SineRegression(A, np.zeros(N))
    for _, place, rows in law_of(obj, M).hits(KEY, draws):
        i = place if M > 1 else int(A.indices[A.indptr[rows[0]] + place])
        seen[(i, tuple(rows))] += 1
    seen[None] = draws - sum(seen.values())
    assert set(seen) <= set(law)
    assert pvalue([seen[key] for key in law], [draws * law[key] for key in law]) > ALPHA


def test_many_samples_a_batch():
    """Null, M = 60: the number of rows hit in a column is a truncated binomial."""
    obj, A = uneven()
    N, M = A.shape[0], 60
    counts = np.bincount(A.indices, minlength=A.shape[1])
    i = int(np.argmin(np.where(counts > 0, counts, N)))
    j = int(np.argmax(counts))
    hits = law_of(obj, M).hits(KEY, 150_000)
    for column in (i, j):
        sizes = np.array([len(rows) for _, place, rows in hits if place == column])
        binomial = stats.binom(M, counts[column] / N)
        expected = binomial.pmf(np.arange(1, M + 1)) / binomial.sf(0) * len(sizes)
        assert pvalue(np.bincount(sizes, minlength=M + 1)[1:], expected) > ALPHA


def final(obj, x0, M, K, seed, skip):
    run = Threads(
        obj._capsule, x0, method="asysg-incon", M=M, p=1, key=(seed, 1), max_delay=-1,
        recording=False, skip=skip,
    )  # fmt: skip
    run.advance(K, np.array([0.7]))
    return run.x.tobytes()


@pytest.mark.parametrize("M", [1, 2])
def test_the_final_x_has_the_law_of_the_plain_loop(M):
    """Null: the exact law of x after K updates, by enumeration of all that can be drawn.

    The plain loop is held to it too. 20 000 runs each; cells are values of x, to the bit.
    """
    A = sparse.csr_array(np.array([[1.0, 0.0], [0.0, -2.0]]))
    obj, x0 = objectives.SigmoidRegression(A, np.array([0.0, 1.0])), np.array([0.3, -0.4])
    K, runs = (5, 20_000) if M == 1 else (3, 20_000)
    law = {x0.tobytes(): 1.0}
    for _ in range(K):
        after = Counter()
        for bits, chance in law.items():
            for i, *samples in itertools.product(range(2), *[range(2)] * M):
                x = np.frombuffer(bits).copy()
                g = 0.0
                for j in samples:
                    g += obj.partial(x, j, i)
                x[i] += -(0.7 * g)
                after[x.tobytes()] += chance / (2 * 2**M)
        law = after
    assert len(law) > 10
    for skip in (law_of(obj, M), None):
        seen = Counter(final(obj, x0, M, K, seed, skip) for seed in range(runs))
        assert set(seen) <= set(law)
        assert pvalue([seen[key] for key in law], [runs * law[key] for key in law]) > ALPHA
    # Negative control: one update less has another law.
    seen = Counter(final(obj, x0, M, K - 1, seed, law_of(obj, M)) for seed in range(runs))
    assert pvalue([seen[key] for key in law], [seen.total() * law[key] for key in law]) < ALPHA
