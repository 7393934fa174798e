"""CIFAR-10 as files and as images like it, and the network of the paper's first experiment."""

import numpy as np
import pytest

import asysg
from asysg import InvalidArgument
from asysg.objectives import cifar

SIZE = 1 + 3 * 32 * 32


def records(rng, count):
    labels = rng.integers(10, size=count, dtype=np.uint8)
    images = rng.integers(256, size=(count, SIZE - 1), dtype=np.uint8)
    return labels, images, np.column_stack([labels, images]).tobytes()


def test_files_are_read_in_their_order(tmp_path):
    rng = np.random.default_rng(0)
    kept = [records(rng, count) for count in (3, 1, 2, 1, 1)]
    for name, (_, _, raw) in zip(cifar.BATCHES, kept, strict=True):
        (tmp_path / name).write_bytes(raw)
    _, images, raw = records(rng, 4)
    (tmp_path / cifar.TEST).write_bytes(raw)
    found, classes = cifar.read(tmp_path)
    np.testing.assert_array_equal(classes, np.concatenate([one[0] for one in kept]))
    flat = np.concatenate([one[1] for one in kept])
    np.testing.assert_array_equal(found.reshape(8, -1), flat)
    # Red, green and blue, row by row.
    assert found[2, 1, 3, 5] == flat[2, 1024 + 3 * 32 + 5]
    test, _ = cifar.read(tmp_path, test=True)
    np.testing.assert_array_equal(test.reshape(4, -1), images)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (None, "must hold data_batch_1.bin"),
        (b"", "whole records of 3073 bytes, got 0"),
        (b"x" * (SIZE + 1), "whole records"),
        (bytes([10]) + b"x" * (SIZE - 1), "labels below 10, got 10"),
    ],
)
def test_other_files_are_refused(tmp_path, raw, message):
    if raw is not None:
        (tmp_path / "data_batch_1.bin").write_bytes(raw)
    with pytest.raises(InvalidArgument, match=message):
        cifar.read(tmp_path)


def test_generated_images_repeat_and_have_classes():
    images, labels = cifar.generated(2000, rng=1)
    again, _ = cifar.generated(2000, rng=1)
    np.testing.assert_array_equal(images, again)
    assert np.bincount(labels).tolist() == [200] * 10
    assert 60 < images.mean() < 200
    assert images.std() > 20
    # The means of the classes differ, by more than means of 200 images would by chance.
    means = np.stack([images[labels == c].mean(axis=0) for c in range(10)])
    assert means.var(axis=0).mean() > 4 * images.var(axis=0).mean() / 200


class TestNetwork:
    @pytest.fixture(autouse=True)
    def torch(self):
        return pytest.importorskip("torch", reason="PyTorch is not installed")

    def test_shape(self, torch):
        module = cifar.network(rng=3)
        assert sum(p.numel() for p in module.parameters()) == 89_578
        assert module(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
        spread = [p.std().item() for p in module.parameters() if p.ndim > 1]
        np.testing.assert_allclose(spread, [1e-4, 1e-2, 1e-2, 1e-2], rtol=0.05)

    def test_normalisation_by_hand(self, torch):
        layer = cifar.network()[3]
        x = 100 * torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
        found = layer(x)
        square = np.pad(x.numpy() ** 2, ((0, 0), (0, 0), (1, 1), (1, 1)))
        around = square[0, 1, 2:5, 1:4].sum() / 9  # around row 2, column 1
        expected = x[0, 1, 2, 1].item() / (1 + 5e-5 * around) ** 0.75
        assert found[0, 1, 2, 1].item() == pytest.approx(expected, rel=1e-5)

    def test_it_learns_what_was_generated(self):
        f = cifar.cifar10_full(*cifar.generated(200, rng=0))
        assert (f.n, f.n_samples) == (89_578, 200)
        start = f.value(f.x0)
        assert start == pytest.approx(np.log(10), rel=0.01)
        res = asysg.minimize(
            f, f.x0, method="asysg-con", steplength=0.003 / 20, batch_size=20, n_updates=60,
            n_threads=2, max_delay=4, n_records=2, rng=0,
        )  # fmt: skip
        assert res.success
        assert res.fun < start

    def test_other_data_are_refused(self):
        images, labels = cifar.generated(10, rng=0)
        with pytest.raises(InvalidArgument, match="uint8"):
            cifar.cifar10_full(images / 255, labels)
        with pytest.raises(InvalidArgument, match="labels must be 10 numbers"):
            cifar.cifar10_full(images, labels + 1)
