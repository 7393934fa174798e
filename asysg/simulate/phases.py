"""Where linear speedup ends: delays T against updates K, measured and by the theory.

At every (T, K) the steplength is the corollary's for that K, which does not depend on T; delays
are constant, as those of T + 1 workers that take turns. Linear speedup means that an update is
worth the same whatever T is; the theory guarantees it from K_min(T) on, that is for up to about
sqrt(K) workers, the analysis before it for about K^(1/4).

What an update is worth: the rate is K^(-1/2), so an ergodic gradient norm A_T instead of A_0
means that (A_T / A_0)^2 times as many updates are needed. The *efficiency* is the inverse, (A_0 /
A_T)^2, and the iteration speedup of T + 1 workers T + 1 times that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from tqdm import tqdm

from .. import theory
from .._check import choice, integer
from .._draws import RNG, generator_from
from .._run import interruptible
from ..errors import InvalidArgument
from ..objectives import Objective
from . import delays
from ._front import minimize
from .speedups import Interval

if TYPE_CHECKING:
    from types import ModuleType

    from matplotlib.figure import Figure

    from ..result import Result
    from ..theory import ProblemConstants

__all__ = ["diagram", "draw"]


@interruptible()
def diagram(
    obj: Objective,
    x0: ArrayLike,
    *,
    delays_up_to: Sequence[int],
    updates: Sequence[int],
    method: str = "asysg-con",
    batch_size: int = 1,
    form: str = "paper",
    n_replicates: int = 3,
    n_records: int = 5000,
    progress: bool = False,
    rng: RNG = None,
) -> list[dict[str, Any]]:
    """Measure runs over a grid of (T, K) and set them beside the theory.

    Parameters
    ----------
    obj, x0 : Objective, array of shape (n,)
        With proven constants.
    delays_up_to : sequence of int
        The T, >= 0.
    updates : sequence of int
        The K, >= 1.
    method : {"asysg-con", "asysg-incon"}
        Whose runs.
    batch_size : int
        M, at least 1.
    form : str
        Whose corollary gives steplength and K_min; see `asysg.theory`.
    n_replicates, n_records : int
        Runs of each point, and their recorded iterates: many, because a few would mostly miss
        the short time in which the gradient is large, and be far off where they hit it.
    progress : bool
        Show a progress bar of the points.
    rng : int, Generator, SeedSequence or None
        Of the runs.

    Returns
    -------
    list of dict
        One a point: T, K, M, n_workers = T + 1, gamma, K_min, T_max and ``guaranteed`` = (K >=
        K_min); `bound` (inf where no theorem holds), `measured` ergodic gradient norm and their
        `ratio` (nan without a bound); `efficiency` and `speedup` = n_workers * efficiency, with
        the 95 % interval `low` .. `high`; `diverged` runs of `n_replicates`.

    Raises
    ------
    InvalidArgument
        For arguments that cannot be, an objective without constants, and one without noise.

    Examples
    --------
    >>> import asysg, numpy as np
    >>> from asysg.simulate import phases
    >>> obj = asysg.objectives.CosineQuadratic(n=5, sigma=1.0)
    >>> points = phases.diagram(
    ...     obj, np.ones(5), delays_up_to=[2], updates=[2000], n_replicates=2, rng=0)
    >>> points[0]["measured"] < points[0]["bound"]
    True
    """
    choice("method", method, ("asysg-con", "asysg-incon"))
    M, replicates = integer("batch_size", batch_size, least=1), n_replicates
    integer("n_replicates", replicates, least=1)
    Ts = [integer("delays_up_to", T, least=0) for T in delays_up_to]
    Ks = [integer("updates", K, least=1) for K in updates]
    seeds = generator_from(rng)
    points = []
    bar = tqdm(total=len(Ts) * len(Ks), unit="point") if progress else None
    try:
        for K in Ks:
            fresh = float("nan")
            for T in (0, *Ts):
                norms = [
                    measured(
                        measure(
                            obj, x0, T=T, K=K, method=method, batch_size=M, form=form,
                            n_records=n_records, rng=int(seeds.integers(2**63)),
                        )
                    )
                    for _ in range(replicates)
                ]  # fmt: skip
                if np.isnan(fresh):  # the reference: T = 0
                    fresh = float(np.mean(norms))
                    continue
                c = obj.constants(x0, T=T)
                points.append(
                    point(c, norms, fresh, T=T, K=K, method=method, batch_size=M, form=form)
                )
                if bar is not None:
                    bar.update()
    finally:
        if bar is not None:
            bar.close()
    return points


def measure(
    obj: Objective,
    x0: ArrayLike,
    *,
    T: int,
    K: int,
    method: str = "asysg-con",
    batch_size: int = 1,
    form: str = "paper",
    n_records: int = 5000,
    rng: RNG = None,
) -> Result:
    """Run the corollary's steplength for K updates, every delay equal to T.

    Parameters
    ----------
    obj, x0, method, batch_size, form, n_records, rng
        As in `diagram`.
    T, K : int

    Returns
    -------
    Result

    Raises
    ------
    InvalidArgument
        For arguments that cannot be, an objective without constants, and one without noise.
    KeyboardInterrupt
        If the run was interrupted.
    """
    c = obj.constants(x0, T=T)
    if c.sigma == 0:
        raise InvalidArgument("obj must have noise, got sigma = 0.")
    res = minimize(
        obj,
        x0,
        method=method,
        steplength=_side(method).gamma_prescribed(c, K=K, M=batch_size, T=T, form=form),
        delays=delays.constant(T),
        batch_size=batch_size,
        n_updates=K,
        n_records=n_records,
        constants=c,
        form=form,
        rng=rng,
    )
    if res.status == "interrupted":
        raise KeyboardInterrupt
    return res


def measured(res: Result) -> float:
    """Return the ergodic gradient norm of a run, inf if it diverged."""
    return res.trace.ergodic if res.success else float("inf")


def _side(method: str) -> ModuleType:
    return theory.incon if method == "asysg-incon" else theory.con


def point(
    c: ProblemConstants,
    norms: Sequence[float],
    fresh: float,
    *,
    T: int,
    K: int,
    method: str,
    batch_size: int,
    form: str,
) -> dict[str, Any]:
    """Set the norms of runs with delay T beside `fresh`, that without delay, and the theory."""
    side, M = _side(method), batch_size
    gamma = side.gamma_prescribed(c, K=K, M=M, T=T, form=form)
    worth = Interval.around([(fresh / norm) ** 2 for norm in norms])
    bound = side.bound(gamma, c, K=K, M=M, T=T, form=form)
    K_min = side.K_min(c, M=M, T=T, form=form)
    mean = float(np.mean(norms))
    return {
        "method": method,
        "form": form,
        "T": T,
        "K": K,
        "M": M,
        "n_workers": T + 1,
        "gamma": gamma,
        "K_min": K_min,
        "T_max": side.T_max(c, K=K, M=M, form=form),
        "guaranteed": K >= K_min,
        "bound": bound,
        "measured": mean,
        "ratio": mean / bound if np.isfinite(bound) else float("nan"),
        "speedup": worth.mean * (T + 1),
        "low": worth.low * (T + 1),
        "high": worth.high * (T + 1),
        "efficiency": worth.mean,
        "diverged": int(np.isinf(norms).sum()),
        "n_replicates": len(norms),
    }


def draw(points: Sequence[dict[str, Any]]) -> Figure:
    """Draw a diagram: efficiency, and measured / bound, over (K, T + 1).

    The black line is K = K_min(T). The others are proportional to sqrt(K) and to K^(1/4), and
    meet it where the grid begins.

    Parameters
    ----------
    points : sequence of dict
        Of `diagram`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InvalidArgument
        For no points.

    Examples
    --------
    >>> import asysg, numpy as np
    >>> from asysg.simulate import phases
    >>> obj = asysg.objectives.CosineQuadratic(n=5, sigma=1.0)
    >>> points = phases.diagram(
    ...     obj, np.ones(5), delays_up_to=[2], updates=[500], n_replicates=2, rng=0)
    >>> figure = phases.draw(points)
    >>> figure.axes[0].get_title()
    'iteration speedup / workers'
    """
    from matplotlib.figure import Figure

    if not points:
        raise InvalidArgument("points must not be empty.")
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    K = np.array([point["K"] for point in points])
    workers = np.array([point["n_workers"] for point in points])
    limit = {int(point["K"]): point["T_max"] + 1 for point in points}
    grid = np.array(sorted(limit))
    edge = np.array([limit[int(k)] for k in grid], dtype=np.float64)
    for axes, what, title in zip(
        figure.subplots(1, 2),
        ("efficiency", "ratio"),
        ("iteration speedup / workers", "measured / bound"),
        strict=True,
    ):
        value = np.array([point[what] for point in points], dtype=np.float64)
        known = np.isfinite(value)
        axes.scatter(K[~known], workers[~known], marker="x", c="k", label="none")
        shown = axes.scatter(K[known], workers[known], c=value[known], s=80, vmin=0, vmax=1.2)
        figure.colorbar(shown, ax=axes)
        axes.plot(grid, np.maximum(edge, 1), "k-", label="K = K_min(T)")
        for power, style in ((0.5, "--"), (0.25, ":")):
            curve = max(edge[0], 1.0) * (grid / grid[0]) ** power
            axes.plot(grid, curve, f"C3{style}", label=f"~ K^{power:g}")
        axes.set(xscale="log", yscale="log", xlabel="updates K", ylabel="workers T + 1")
        axes.set_title(title)
        axes.legend(fontsize="small")
    return figure
