"""PyTorch models as objectives."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _check
from .._core.callback import Callback
from ..errors import InvalidArgument, MissingPackage
from ._base import Objective

if TYPE_CHECKING:
    import torch
    from torch.utils.data import Dataset

Vector = NDArray[np.float64]
#: Samples on which a loss is tried until it is not 0.
TRIED = 100
#: The sum of losses may differ so much from the losses one by one.
ROUNDING = {"float32": 1e-3, "float64": 1e-9}


class TorchObjective(Objective):
    """Mean loss of a PyTorch model over a dataset; made by `from_torch`.

    Attributes
    ----------
    x0 : ndarray of shape (n,)
        The model's parameters when the objective was made, one after the other.
    """

    _remedy = (
        "Nothing is proven of a model's gradient: give a float steplength, or your own "
        "theory.ProblemConstants(..., estimated=True)."
    )

    def __init__(
        self, module: torch.nn.Module, loss: Callable[..., Any], data: Any, evaluate_at_once: int
    ) -> None:
        self.module, self._loss = module, loss
        self._inputs, self._targets = data
        self._at_once = evaluate_at_once
        parameters = dict(module.named_parameters())
        kinds = {(p.dtype, p.device) for p in parameters.values()}
        if len(kinds) != 1 or not next(iter(kinds))[0].is_floating_point:
            raise InvalidArgument.of(
                "module", "must have parameters of one floating type on one device",
                sorted(str(kind) for kind in kinds), "Call module.float() or module.double().",
            )  # fmt: skip
        self._dtype, self._device = kinds.pop()
        self._shapes = {name: p.shape for name, p in parameters.items()}
        self._sizes = [p.numel() for p in parameters.values()]
        self._buffers = dict(module.named_buffers())
        self.x0 = np.concatenate(
            [p.detach().cpu().double().numpy().ravel() for p in parameters.values()]
        )
        self._mean = False
        self._kernel = Callback(
            self.x0.size, len(self._inputs), self._sum, self._gradient, self._full
        )
        self._mean = self._is_mean()
        self._check_additive()

    @property
    def _torch(self) -> Any:
        """PyTorch itself, which an attribute could not hold where the objective is pickled."""
        import torch

        return torch

    def assign(self, x: ArrayLike) -> torch.nn.Module:
        """Write a vector of parameters into the module, and return it.

        Parameters
        ----------
        x : array_like, shape (n,)
            Such as ``result.x``.

        Returns
        -------
        torch.nn.Module
            The very module that `from_torch` was given.

        Raises
        ------
        InvalidArgument
            If x has another shape or is not finite.
        """
        flat = _check.vector("x", x, self.n, remedy="Take it from a result of this objective.")
        self._torch.nn.utils.vector_to_parameters(
            self._torch.from_numpy(flat.copy()).to(self._dtype).to(self._device),
            self.module.parameters(),
        )
        return self.module

    def _flat(self, x: Vector, *, grad: bool) -> torch.Tensor:
        flat = self._torch.from_numpy(x).to(device=self._device, dtype=self._dtype)
        return flat.requires_grad_() if grad else flat

    def _total(self, flat: torch.Tensor, samples: Any) -> torch.Tensor:
        """Return the sum of the losses of some samples; the module is not touched.

        Every worker has its parameters to itself: they come with the call.
        """
        parts = flat.split(self._sizes)
        parameters = {
            name: part.view(shape)
            for (name, shape), part in zip(self._shapes.items(), parts, strict=True)
        }
        output = self._torch.func.functional_call(
            self.module, {**parameters, **self._buffers}, (self._inputs[samples],)
        )
        found = self._loss(output, self._targets[samples])
        if found.ndim:
            return found.sum()
        return found * len(samples) if self._mean else found

    def _sum(self, x: Vector, samples: NDArray[np.int64]) -> float:
        with self._torch.no_grad():
            return float(self._total(self._flat(x, grad=False), self._torch.from_numpy(samples)))

    def _gradient(self, x: Vector, samples: NDArray[np.int64]) -> Vector:
        flat = self._flat(x, grad=True)
        total = self._total(flat, self._torch.from_numpy(samples))
        (g,) = self._torch.autograd.grad(total, flat)
        found: Vector = g.cpu().double().numpy()
        return found

    def _full(self, x: Vector) -> tuple[float, Vector]:
        """Return f and its gradient, `evaluate_at_once` samples a pass."""
        total, g = 0.0, np.zeros(self.x0.size)
        N = len(self._inputs)
        for begin in range(0, N, self._at_once):
            flat = self._flat(x, grad=True)
            part = self._total(flat, self._torch.arange(begin, min(N, begin + self._at_once)))
            g += self._torch.autograd.grad(part, flat)[0].cpu().double().numpy()
            total += float(part.detach())
        return total / N, g / N

    def _is_mean(self) -> bool:
        """Whether the loss is a mean over the batch; found out by a batch of one sample twice."""
        for sample in range(min(TRIED, len(self._inputs))):
            one, two = (self._value_of([sample] * count) for count in (1, 2))
            if one or two:  # a loss of 0 would tell nothing
                break
        else:
            raise InvalidArgument.of(
                "loss", "must not be 0 on all the samples tried", 0.0,
                "Start from other parameters.",
            )  # fmt: skip
        if math.isclose(two, one, rel_tol=1e-4):
            return True
        if math.isclose(two, 2 * one, rel_tol=1e-4):
            return False
        raise InvalidArgument.of(
            "loss", "must be a sum or a mean over the batch, or one loss a sample",
            f"{one:g} for a sample and {two:g} for it twice",
            "A module that draws (dropout) or looks at the batch must be put into eval() mode.",
        )  # fmt: skip

    def _value_of(self, samples: list[int]) -> float:
        try:
            return self._sum(self.x0, np.array(samples))
        except Exception as error:
            raise InvalidArgument(
                f"module and loss must be computable on a sample, got {error!r}. "
                "The loss is called as loss(module(inputs), targets); batch normalisation and "
                "dropout must be in eval() mode."
            ) from error

    def _check_additive(self) -> None:
        """Refuse what is no mean of functions of one sample each."""
        count = len(self._inputs)
        samples = np.linspace(0, count - 1, min(16, count)).astype(int).tolist()
        together = self._value_of(samples)
        apart = math.fsum(self._value_of([sample]) for sample in samples)
        slack = ROUNDING.get(str(self._dtype).split(".")[-1], 1e-2)
        if not math.isclose(together, apart, rel_tol=slack, abs_tol=slack):
            raise InvalidArgument.of(
                "module", "must treat every sample on its own",
                f"a loss of {together:g} together and {apart:g} apart",
                "Put batch normalisation and dropout into eval() mode.",
            )  # fmt: skip

    _kernel: Callback

    def _failure(self) -> str:
        return "" if self._kernel.error is None else f" {self._kernel.error!r}"

    def _cause(self) -> BaseException | None:
        return self._kernel.error

    @contextmanager
    def _one_thread(self) -> Iterator[None]:
        set_threads = self._torch.set_num_threads
        before, around = self._torch.get_num_threads(), self._kernel.outside
        set_threads(1)
        try:
            with ThreadPoolExecutor(initializer=set_threads, initargs=(1,)) as pool:
                # In a parallel region of ours oneDNN gets one thread where it has planned for
                # more, and waits for the others for ever.
                self._kernel.outside = lambda *call: pool.submit(*call).result()
                yield
        finally:
            self._kernel.outside = around
            set_threads(before)


def from_torch(
    module: torch.nn.Module,
    loss: Callable[..., Any],
    dataset: Dataset[Any] | tuple[torch.Tensor, torch.Tensor],
    *,
    evaluate_at_once: int = 1000,
) -> TorchObjective:
    """Make an objective of a PyTorch model, a loss and a dataset.

    f is the mean loss over the dataset, a sample one of its pairs, and x all parameters of the
    module one after the other, in float64; the model computes in the type of its own parameters.
    Works with threads, ranks and the simulator. PyTorch computes outside the GIL, but every call
    takes it for a moment: several threads pay where a minibatch takes a millisecond or more.

    Parameters
    ----------
    module : torch.nn.Module
        It is not changed by a run; `TorchObjective.assign` writes a result into it. Buffers
        stay as they are. Dropout and batch normalisation must be in ``eval()`` mode, because F of
        a sample may depend on nothing else.
    loss : callable
        ``loss(module(inputs), targets)`` returns one loss a sample, their sum or their mean;
        which one is found out by trying.
    dataset : map-style dataset of (input, target), or pair of tensors
        Held in memory as two tensors, on the module's device.
    evaluate_at_once : int
        Samples per pass where f itself is evaluated.

    Returns
    -------
    TorchObjective
        `x0` holds the present parameters. No constants are known: steplengths "prescribed" and
        "optimal" need your own.

    Raises
    ------
    InvalidArgument
        If the dataset is empty, the loss is none of the three, or samples are not independent.
    MissingPackage
        Without PyTorch (``pip install 'asysg[torch]'``); it is an ImportError.

    Examples
    --------
    >>> import torch, asysg  # doctest: +SKIP
    >>> module = torch.nn.Linear(3, 2)  # doctest: +SKIP
    >>> data = torch.randn(100, 3), torch.randint(2, (100,))  # doctest: +SKIP
    >>> f = asysg.objectives.from_torch(
    ...     module, torch.nn.functional.cross_entropy, data)  # doctest: +SKIP
    >>> res = asysg.minimize(
    ...     f, f.x0, method="asysg-con", steplength=0.01, n_updates=100)  # doctest: +SKIP
    >>> f.assign(res.x)  # doctest: +SKIP
    Linear(in_features=3, out_features=2, bias=True)
    """
    try:
        import torch
    except ImportError as error:
        raise MissingPackage(
            f"torch must be installed for from_torch, got: {error}. Install asysg[torch]."
        ) from error
    parameter = next(module.parameters(), None)
    if parameter is None:
        raise InvalidArgument.of("module", "must have parameters", module, "Nothing to minimise.")
    if isinstance(dataset, tuple | list):
        inputs, targets = dataset
    elif isinstance(dataset, torch.utils.data.TensorDataset) and len(dataset.tensors) == 2:
        inputs, targets = dataset.tensors
    else:
        pairs = [dataset[i] for i in range(len(dataset))]
        if not pairs:
            raise InvalidArgument.of("dataset", "must not be empty", 0, "Give some data.")
        inputs = torch.stack([torch.as_tensor(pair[0]) for pair in pairs])
        targets = torch.stack([torch.as_tensor(pair[1]) for pair in pairs])
    if len(inputs) == 0 or len(inputs) != len(targets):
        raise InvalidArgument.of(
            "dataset", "must have as many inputs as targets, and some",
            f"{len(inputs)} and {len(targets)}", "Give one target an input.",
        )  # fmt: skip
    at_once = _check.integer(
        "evaluate_at_once", evaluate_at_once, least=1, remedy="Leave it out for 1000."
    )
    if inputs.is_floating_point():
        inputs = inputs.to(parameter.dtype)
    data = inputs.to(parameter.device), targets.to(parameter.device)
    return TorchObjective(module, loss, data, at_once)
