"""PyTorch models as objectives; CI installs PyTorch, elsewhere they may be missing."""

import pickle

import numpy as np
import pytest

import asysg
from asysg import InvalidArgument, ObjectiveError, simulate
from asysg.simulate import delays

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
from torch.nn import functional  # noqa: E402

from asysg.objectives import Network, from_torch  # noqa: E402


def data(N=30, n=4, classes=3):
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(N, n, generator=generator, dtype=torch.float64)
    return X, torch.randint(classes, (N,), generator=generator)


def model(dtype=torch.float64):
    torch.manual_seed(1)
    layers = torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3)
    return torch.nn.Sequential(*layers).to(dtype)


LOSSES = {
    "mean": functional.cross_entropy,
    "sum": torch.nn.CrossEntropyLoss(reduction="sum"),
    "each": torch.nn.CrossEntropyLoss(reduction="none"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_equal_to_our_own_network(loss):
    X, y = data()
    ours = Network(X.numpy(), y.numpy(), hidden=(5,), n_outputs=3)
    theirs = from_torch(model(), LOSSES[loss], (X, y), evaluate_at_once=7)
    x = theirs.x0
    assert (theirs.n, theirs.n_samples) == (ours.n, ours.n_samples)
    for sample in (None, 0, 29):
        assert theirs.value(x, sample) == pytest.approx(ours.value(x, sample), rel=1e-12)
        np.testing.assert_allclose(
            theirs.gradient(x, sample), ours.gradient(x, sample), rtol=1e-10, atol=1e-13
        )
    samples = np.array([3, 3, 28])
    np.testing.assert_allclose(
        theirs.minibatch(x, samples), ours.minibatch(x, samples), rtol=1e-10, atol=1e-13
    )
    assert theirs.partial(x, 3, 7) == theirs.gradient(x, 3)[7]


@pytest.mark.parametrize("method", ["sgd", "asysg-con", "asysg-incon", "hogwild"])
def test_runs_on_threads_are_counted_and_end_where_ours_do(method):
    X, y = data()
    ours = Network(X.numpy(), y.numpy(), hidden=(5,), n_outputs=3)
    theirs = from_torch(model(), functional.cross_entropy, (X, y))
    run = {"method": method, "steplength": 0.05, "batch_size": 4, "n_updates": 60, "rng": 0}
    mine = asysg.minimize(ours, theirs.x0, n_threads=1, **run)
    res = asysg.minimize(theirs, theirs.x0, n_threads=1, **run)
    np.testing.assert_allclose(res.x, mine.x, rtol=1e-9, atol=1e-12)
    if method != "sgd":
        two = asysg.minimize(theirs, theirs.x0, n_threads=2, max_delay=8, **run)
        assert (two.nit, two.n_threads_used, two.success) == (60, 2, True)
        assert two.staleness.max <= 8


def test_the_simulator_takes_it_too():
    f = from_torch(model(), functional.cross_entropy, data())
    run = {"delays": delays.uniform(5), "steplength": 0.05, "batch_size": 2, "n_updates": 50}
    first = simulate.minimize(f, f.x0, method="asysg-con", rng=1, **run)
    again = simulate.minimize(f, f.x0, method="asysg-con", rng=1, **run)
    np.testing.assert_array_equal(first.x, again.x)
    assert first.staleness.max == 5
    assert first.fun < f.value(f.x0)


def test_a_module_of_single_precision_and_what_comes_back_into_it():
    X, y = data()
    dataset = torch.utils.data.TensorDataset(X, y)
    module = model(torch.float32)
    before = [p.detach().clone() for p in module.parameters()]
    f = from_torch(module, functional.cross_entropy, dataset)
    res = asysg.minimize(f, f.x0, method="sgd", steplength=0.1, n_updates=200, rng=0)
    for old, now in zip(before, module.parameters(), strict=True):
        assert torch.equal(old, now)
    assert f.assign(res.x) is module
    found = functional.cross_entropy(module(X.float()), y).item()
    assert found == pytest.approx(res.fun, rel=1e-5)
    assert res.fun < f.value(f.x0)


class Pairs(torch.utils.data.Dataset):
    def __len__(self):
        return 10

    def __getitem__(self, i):
        return torch.full((4,), float(i)), i % 3


def test_a_dataset_of_pairs():
    f = from_torch(model(), functional.cross_entropy, Pairs())
    assert f.n_samples == 10
    loss = functional.cross_entropy(model()(torch.full((1, 4), 7.0).double()), torch.tensor([1]))
    assert f.value(f.x0, 7) == pytest.approx(loss.item())


def test_parameters_that_layers_share_are_counted_once():
    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Linear(4, 4, dtype=torch.float64)
            self.second = torch.nn.Linear(4, 4, dtype=torch.float64)
            self.second.weight = self.first.weight

        def forward(self, x):
            return self.second(torch.tanh(self.first(x)))

    f = from_torch(Tied(), functional.cross_entropy, data(classes=4))
    assert f.n == 16 + 4 + 4
    t, rng = 1e-6, np.random.default_rng(0)
    d = rng.standard_normal(f.n)
    slope = (f.value(f.x0 + t * d) - f.value(f.x0 - t * d)) / (2 * t)
    assert f.gradient(f.x0) @ d == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("p", [1, 2])
def test_an_error_ends_the_run_and_is_named(p):
    def loss(output, target):
        if len(output) == 4:
            raise ZeroDivisionError("four is too many")
        return functional.cross_entropy(output, target)

    f = from_torch(model(), loss, data())
    with pytest.raises(ObjectiveError) as caught:
        f.minibatch(f.x0, np.arange(4))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    run = {"method": "asysg-con", "steplength": 0.1, "n_updates": 50, "n_threads": p, "rng": 0}
    assert asysg.minimize(f, f.x0, batch_size=3, **run).success
    res = asysg.minimize(f, f.x0, batch_size=4, **run)
    assert (res.status, res.nit) == ("failed", 0)
    assert "four is too many" in res.message
    np.testing.assert_array_equal(res.x, f.x0)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_a_loss_that_is_0_on_the_first_samples_is_understood(reduction):
    torch.manual_seed(0)
    module = torch.nn.Linear(1, 1, bias=False, dtype=torch.float64)
    inputs = torch.arange(6, dtype=torch.float64)[:, None]
    targets = module(inputs).detach() + torch.tensor([[0], [0], [0], [0], [1], [3.0]])
    f = from_torch(module, torch.nn.MSELoss(reduction=reduction), (inputs, targets))
    assert f.value(f.x0) == pytest.approx((1 + 9) / 6)
    assert f.value(f.x0, 5) == pytest.approx(9)
    assert f.minibatch(f.x0, [4, 5])[0] == pytest.approx(-2 * (4 * 1 + 5 * 3))
    if reduction == "mean":
        with pytest.raises(InvalidArgument, match="must not be 0"):
            from_torch(module, torch.nn.MSELoss(), (inputs[:4], targets[:4]))


def test_ctrl_c_in_a_call_stays_what_it_is():
    def loss(output, target):
        if len(output) == 4:
            raise KeyboardInterrupt
        return functional.cross_entropy(output, target)

    f = from_torch(model(), loss, data())
    with pytest.raises(KeyboardInterrupt):
        f.minibatch(f.x0, np.arange(4))


def test_it_pickles():
    f = from_torch(model(), functional.cross_entropy, data())
    again = pickle.loads(pickle.dumps(f))
    np.testing.assert_array_equal(again.gradient(f.x0, 3), f.gradient(f.x0, 3))


def test_what_a_run_cannot_rest_on_is_refused():
    X, y = data()
    normalised = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3)).double()
    with pytest.raises(InvalidArgument, match="eval"):
        from_torch(normalised, functional.cross_entropy, (X, y))
    from_torch(normalised.eval(), functional.cross_entropy, (X, y))
    dropped = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Dropout(0.5)).double()
    with pytest.raises(InvalidArgument, match="eval"):
        from_torch(dropped, functional.cross_entropy, (X, y))
    with pytest.raises(InvalidArgument, match="as many inputs"):
        from_torch(model(), functional.cross_entropy, (X, y[:-1]))
    with pytest.raises(InvalidArgument, match="must have parameters"):
        from_torch(torch.nn.Tanh(), functional.cross_entropy, (X, y))
    with pytest.raises(InvalidArgument, match="computable"):
        from_torch(model(), functional.cross_entropy, (X[:, :2], y))
    f = from_torch(model(), functional.cross_entropy, (X, y))
    with pytest.raises(InvalidArgument, match="Nothing is proven"):
        asysg.minimize(f, f.x0, method="sgd", n_updates=10)
    with pytest.raises(InvalidArgument, match="shape"):
        f.assign(np.zeros(3))
