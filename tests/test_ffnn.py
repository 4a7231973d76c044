"""The feed-forward net: against an ordinary torch loop, in batches and alone, on planted signal and on noise."""

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import estimator_checks_generator
from torch import nn

from interp.errors import InputError
from interp.inference import FFNN
from interp.inference.ffnn import fit_folds
from interp.inference.folds import grouped_folds
from interp.inference.training import BATCH, LEARNING_RATE, PATIENCE, Job, Targets, Trainer, standard
from tests.planted import planted

# All of scikit-learn's checks but the one that needs an experimental mode of scipy.
ESTIMATOR_CHECKS = [c for _, c in estimator_checks_generator(FFNN([4])) if c.func.__name__ != "check_array_api_input"]


def folds_of(norms, n=4):
    return [(split.train, split.validation) for split in grouped_folds(norms.lemmas, n, 0)]


def plain_torch(X, Y, train, validation, net, orders):
    """The obvious version: a torch module, autograd, torch's Adam, one net, early stopping on the validation MSE."""
    mean, scale = standard(X[train])
    x = torch.as_tensor((X - mean) / scale, dtype=torch.float32)
    y = torch.as_tensor(Y, dtype=torch.float32)
    optimiser = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    best, best_epoch, errors = float("inf"), 0, []
    for epoch, order in enumerate(orders, 1):
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            optimiser.zero_grad()
            nn.functional.mse_loss(net(x[rows]), y[rows]).backward()
            optimiser.step()
        with torch.no_grad():
            errors.append(float(nn.functional.mse_loss(net(x[validation]), y[validation])))
        if errors[-1] < best:
            best, best_epoch = errors[-1], epoch
        if epoch - best_epoch >= PATIENCE:
            break
    return best, best_epoch, errors


@pytest.mark.parametrize("dense", [False, True], ids=["sparse", "dense"])
def test_equals_a_plain_torch_loop(dense):
    X, norms = planted(n=150, features=83, density=0.6 if dense else 0.02, signal=0.3)
    Y = norms.values
    train, validation = folds_of(norms)[0]
    job = Job(train, validation, 6, 3, 0, len(train))
    targets = Targets(Y, "cpu")
    assert targets.sparse is not dense
    trainer = Trainer(X, targets, [job])
    first, second = (weight.clone() for weight in trainer.layers(0))
    net = nn.Sequential(nn.Linear(X.shape[1], 6), nn.Tanh(), nn.Linear(6, Y.shape[1]))
    with torch.no_grad():
        for layer, weight in zip((net[0], net[2]), (first, second), strict=True):
            layer.weight.copy_(weight[:-1].T)
            layer.bias.copy_(weight[-1])
    rng = trainer.rng[0].__class__(trainer.rng[0].bit_generator.__class__())
    rng.bit_generator.state = trainer.rng[0].bit_generator.state
    orders = [rng.permutation(train) for _ in range(400)]
    best, best_epoch, _ = plain_torch(X, Y, train, validation, net, orders)

    class Bar:
        def update(self, count=1): ...

    (trained,) = trainer.run(Bar())
    mean, scale = standard(X[train])
    mine = ((trained.predict((X[validation] - mean) / scale) - Y[validation]) ** 2).mean()
    assert abs(trained.epochs - best_epoch) <= 1
    assert mine == pytest.approx(best, rel=1e-4)


def test_in_batches_and_alone_are_the_same():
    X, norms = planted(n=120)
    folds = folds_of(norms)
    folds[1] = (folds[1][0][:-7], folds[1][1][:3])  # fewer rows than the others, to train on and to stop by
    together = fit_folds(X, norms.values, folds, [3, 8], together=4, progress=False)
    alone = fit_folds(X, norms.values, folds, [3, 8], together=1, progress=False)
    for a, b in zip(together, alone, strict=True):
        for size in (3, 8):
            scale = np.abs(a.predict(X, size)).max()
            assert np.abs(a.predict(X, size) - b.predict(X, size)).max() < 2e-3 * scale
            assert a.nets[size].epochs == b.nets[size].epochs


def test_numbers_below_the_smallest_normal_one_are_zero_while_training_and_only_then(monkeypatch):
    X, norms = planted()
    seen, epoch = [], Trainer._epoch

    def smallest():
        return torch.full((), torch.finfo(torch.float32).tiny)

    def watched(self):
        seen.append(float(smallest() * 0.5))
        epoch(self)

    monkeypatch.setattr(Trainer, "_epoch", watched)
    fit_folds(X, norms.values, folds_of(norms)[:1], [2])
    assert set(seen) == {0.0}
    assert float(smallest() * 0.5) > 0


def test_planted_signal_is_found_and_none_in_noise():
    X, norms = planted(n=300, features=40, density=0.4)
    train, validation = folds_of(norms, 5)[0]
    test = np.setdiff1d(np.arange(300), np.concatenate([train, validation]))
    rng = np.random.default_rng(99)

    def gain(inputs):
        (path,) = fit_folds(inputs, norms.values, [(train, validation)], [20], progress=False)
        errors = path.squared_errors(inputs[test], norms.values[test]).mean(axis=0)
        return 1 - errors[1] / errors[0]

    assert gain(X) > 0.3
    assert gain(rng.standard_normal(X.shape)) < 0.05


def test_size_zero_is_the_training_mean_and_unknown_sizes_are_refused():
    X, norms = planted(n=60)
    folds = folds_of(norms)
    (path, *_) = fit_folds(X, norms.values, folds, [2], progress=False)
    assert np.array_equal(path.predict(X[:3], 0), np.tile(norms.values[folds[0][0]].mean(axis=0), (3, 1)))
    assert path.sizes.tolist() == [0, 2]
    with pytest.raises(InputError, match="hidden size 7 was not trained"):
        path.predict(X, 7)


@pytest.mark.parametrize("sizes", [[], [0], [-3, 5]])
def test_impossible_hidden_sizes_are_refused(sizes):
    X, norms = planted(n=60)
    with pytest.raises(InputError, match="whole numbers from 1"):
        fit_folds(X, norms.values, folds_of(norms), sizes, progress=False)


def test_seeds_decide_everything():
    X, norms = planted(n=80)
    train = [fit_folds(X, norms.values, folds_of(norms), [4], seed=s, progress=False)[0] for s in (0, 0, 1)]
    assert np.array_equal(train[0].predict(X, 4), train[1].predict(X, 4))
    assert not np.array_equal(train[0].predict(X, 4), train[2].predict(X, 4))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("check", ESTIMATOR_CHECKS, ids=lambda c: c.func.__name__)
def test_is_a_scikit_learn_estimator(check):
    check(FFNN([4]))
