"""The paper's first experiment: the cifar10_full network on CIFAR-10, or on images like it.

Real images are read from the files of the binary version of CIFAR-10; for machines without them
`generated` makes images of the same shape whose class can be learned.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..errors import InvalidArgument
from ._torch import TorchObjective, from_torch

if TYPE_CHECKING:
    import torch

__all__ = ["cifar10_full", "generated", "network", "read"]

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]
CLASSES = 10
SHAPE = (3, 32, 32)
BATCHES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST = "test_batch.bin"


def read(folder: str | os.PathLike[str], *, test: bool = False) -> tuple[Images, Labels]:
    """Read CIFAR-10 from the files of its binary version.

    Each file is a sequence of records: one byte for the label, then 1024 each for red, green and
    blue, row by row.

    Parameters
    ----------
    folder : path-like
        Where ``data_batch_1.bin`` ... ``data_batch_5.bin`` and ``test_batch.bin`` are.
    test : bool
        The 10,000 test images in place of the 50,000 for training.

    Returns
    -------
    images : ndarray of shape (n_samples, 3, 32, 32), uint8
    labels : ndarray of shape (n_samples,), int64
        0..9.

    Raises
    ------
    InvalidArgument
        If a file is missing or is no such file.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from asysg.objectives import cifar
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.zeros(2 * 3073, dtype=np.uint8).tofile(f"{folder}/test_batch.bin")
    ...     images, labels = cifar.read(folder, test=True)
    >>> images.shape, labels.tolist()
    ((2, 3, 32, 32), [0, 0])
    """
    images, labels = [], []
    for name in (TEST,) if test else BATCHES:
        path = Path(folder) / name
        try:
            raw = np.fromfile(path, dtype=np.uint8)
        except OSError as error:
            raise InvalidArgument.of(
                "folder", f"must hold {name}", str(folder),
                "Unpack the binary version of CIFAR-10 there.",
            ) from error  # fmt: skip
        size = 1 + int(np.prod(SHAPE))
        if raw.size == 0 or raw.size % size:
            raise InvalidArgument.of(
                name, f"must be whole records of {size} bytes", raw.size,
                "Unpack the binary version of CIFAR-10 again.",
            )  # fmt: skip
        records = raw.reshape(-1, size)
        if records[:, 0].max() >= CLASSES:
            raise InvalidArgument.of(
                name, f"must have labels below {CLASSES}", int(records[:, 0].max()),
                "This is not the binary version of CIFAR-10.",
            )  # fmt: skip
        labels.append(records[:, 0].astype(np.int64))
        images.append(records[:, 1:].reshape(-1, *SHAPE))
    return np.concatenate(images), np.concatenate(labels)


def generated(n_samples: int = 5000, *, rng: Any = None) -> tuple[Images, Labels]:
    """Return images of CIFAR-10's shape, drawn given their class, and the labels.

    Every class has a smooth pattern of its own. An image is that of its class, shifted by up to
    four pixels and of random contrast, under a smooth disturbance of the same size and a little
    noise a pixel: not to be told apart by one pixel or by the mean colour, but by a few layers.

    Parameters
    ----------
    n_samples : int
        At least 1; the classes take turns.
    rng : optional
        Anything that ``numpy.random.default_rng`` takes.

    Returns
    -------
    images : ndarray of shape (n_samples, 3, 32, 32), uint8
    labels : ndarray of shape (n_samples,), int64

    Raises
    ------
    InvalidArgument
        For an `n_samples` out of range.

    Examples
    --------
    >>> from asysg.objectives import cifar
    >>> images, labels = cifar.generated(20, rng=0)
    >>> images.shape, images.dtype.name, labels[:3].tolist()
    ((20, 3, 32, 32), 'uint8', [0, 1, 2])
    """
    count = _check.integer("n_samples", n_samples, least=1, remedy="Give some data.")
    generator = np.random.default_rng(rng)
    patterns = _smooth(generator, CLASSES)
    labels = np.arange(count, dtype=np.int64) % CLASSES
    images = np.empty((count, *SHAPE), dtype=np.uint8)
    for begin in range(0, count, 1000):
        some = labels[begin : begin + 1000]
        shift = generator.integers(-4, 5, size=(len(some), 2))
        shifted = np.stack(
            [np.roll(patterns[c], tuple(by), (1, 2)) for c, by in zip(some, shift, strict=True)]
        )
        contrast = generator.uniform(0.5, 1.5, size=(len(some), 1, 1, 1))
        found = contrast * shifted + _smooth(generator, len(some))
        found += 0.3 * generator.standard_normal(found.shape)
        images[begin : begin + 1000] = np.clip(128 + 40 * found, 0, 255)
    return images, labels


def _smooth(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Return random images of low frequencies, of variance about 1."""
    waves = np.arange(1, 5)
    at = 2 * np.pi * np.arange(SHAPE[1]) / SHAPE[1]
    basis = np.concatenate([np.cos(np.outer(waves, at)), np.sin(np.outer(waves, at))])
    weights = rng.standard_normal((count, SHAPE[0], len(basis), len(basis)))
    found: NDArray[np.float64] = np.einsum(
        "ncij,ix,jy->ncxy", weights, basis, basis, optimize=True
    ) * (2 / len(basis))
    return found


def network(*, rng: int = 0) -> torch.nn.Module:
    """Return the cifar10_full network with random weights: 89,578 parameters.

    Three convolutions of 5 x 5 pixels to 32, 32 and 64 channels, each followed by pooling (3 x 3,
    every other pixel; the largest, then twice the mean) and a rectifier, the first two by local
    response normalisation within the channel (3 x 3, alpha = 5e-5, beta = 0.75); then 10 linear
    outputs. The weights are normal, with standard deviation 1e-4 in the first layer and 1e-2 in
    the others; the biases are 0.

    Parameters
    ----------
    rng : int
        Seed of the weights.

    Returns
    -------
    torch.nn.Module
        From images, float32 of shape (m, 3, 32, 32) and the mean image taken away, to outputs.

    Raises
    ------
    ImportError
        Without PyTorch.

    Examples
    --------
    >>> from asysg.objectives import cifar
    >>> sum(p.numel() for p in cifar.network(rng=0).parameters())  # doctest: +SKIP
    89578
    """
    import torch
    from torch import nn

    class Normalisation(nn.Module):  # type: ignore[misc]
        """Each number over a power of the mean square around it, in its channel."""

        def forward(self, x: torch.Tensor) -> Any:
            around = nn.functional.avg_pool2d(x * x, 3, stride=1, padding=1)
            return x / (1 + 5e-5 * around) ** 0.75

    def pool(kind: Any) -> Any:
        return kind(3, stride=2, ceil_mode=True)

    layers = nn.Sequential(
        nn.Conv2d(3, 32, 5, padding=2), pool(nn.MaxPool2d), nn.ReLU(), Normalisation(),
        nn.Conv2d(32, 32, 5, padding=2), nn.ReLU(), pool(nn.AvgPool2d), Normalisation(),
        nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), pool(nn.AvgPool2d),
        nn.Flatten(), nn.Linear(1024, CLASSES),
    )  # fmt: skip
    generator = torch.Generator().manual_seed(rng)
    for number, layer in enumerate(x for x in layers if hasattr(x, "weight")):
        nn.init.normal_(layer.weight, std=1e-2 if number else 1e-4, generator=generator)
        nn.init.zeros_(layer.bias)
    return layers


def cifar10_full(images: Images, labels: Labels, *, rng: int = 0) -> TorchObjective:
    """Return the objective of the experiment: softmax loss of `network` on these images.

    Parameters
    ----------
    images, labels : ndarray
        What `read` or `generated` returns.
    rng : int
        Seed of the weights in ``objective.x0``.

    Returns
    -------
    TorchObjective
        n = 89,578.

    Raises
    ------
    InvalidArgument
        If images or labels have another shape or type.
    ImportError
        Without PyTorch.

    Examples
    --------
    >>> from asysg.objectives import cifar
    >>> images, labels = cifar.generated(50, rng=0)
    >>> cifar.cifar10_full(images, labels, rng=0).n  # doctest: +SKIP
    89578
    """
    if images.ndim != 4 or images.shape[1:] != SHAPE or images.dtype != np.uint8:
        raise InvalidArgument.of(
            "images", "must be uint8 of shape (n_samples, 3, 32, 32)",
            f"{images.dtype} of shape {images.shape}", "Take them from `read` or `generated`.",
        )  # fmt: skip
    if labels.shape != images.shape[:1] or not np.isin(labels, np.arange(CLASSES)).all():
        raise InvalidArgument.of(
            "labels", f"must be {len(images)} numbers below {CLASSES}", labels,
            "Take them from `read` or `generated`.",
        )  # fmt: skip
    module = network(rng=rng)
    import torch

    centred = images.astype(np.float32)
    centred -= centred.mean(axis=0)
    data = torch.from_numpy(centred), torch.from_numpy(labels.astype(np.int64))
    return from_torch(module, torch.nn.functional.cross_entropy, data)
