"""Expected gradients against the exact integral, closed forms and shap; standard errors against the truth."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganexplain import Critic, ExpectedGradients, Pixel, Region
from ganexplain.attribution import players as groups
from ganexplain.attribution.methods.expected_gradients import CELL, design
from tests._critics import SIDE, Linear, Net, Spy, critic, images
from tests.attribution._nets import Pair

GRID = torch.arange(SIDE)[:, None] // 2 * 4 + torch.arange(SIDE)[None] // 2


def exact(on: nn.Module, x: Tensor, baselines: Tensor, points: int = 600) -> Tensor:
    """The integral from each baseline by the midpoint rule, averaged."""
    t = ((torch.arange(points).double() + 0.5) / points).view(-1, 1, 1, 1)
    out = torch.zeros_like(x)
    for i, image in enumerate(x):
        for baseline in baselines:
            leaf = (baseline + t * (image - baseline)).requires_grad_(True)
            (gradient,) = torch.autograd.grad(on(leaf).sum(), leaf)
            out[i] += gradient.mean(0) * (image - baseline) / len(baselines)
    return out


@pytest.mark.parametrize(
    ("k", "budget", "seeds", "domain"),
    [(5, 210, 6, Pixel()), (5, 100, 22, Region(GRID)), (40, 100, 6, Pixel()), (1, 210, 6, Pixel())],
    ids=["few baselines", "regions", "many baselines", "one baseline"],
)
def test_standard_errors_cover_the_truth(k: int, budget: int, seeds: int, domain: Pixel) -> None:
    on, x, many = critic("plain", double=True), images(6, seed=3).double(), images(k, seed=70).double()
    truth = exact(on, x, many)
    run = ExpectedGradients(on, domain=domain, baseline=many[None], tol=1e-9, max_evaluations=budget)
    off, error = [], []
    for seed in range(seeds):
        found = run.attribute(x, side="real", seed=seed)
        off.append(groups.totals(found.values - truth, found.players).abs())
        error.append(found.error)
    off, error = torch.cat(off), torch.cat(error)
    assert off.numel() > 2000
    # where no draw of one baseline crossed a kink both are zero, which says nothing
    assert 0.93 < float((off <= 1.96 * error + 1e-12).double().mean()) < 0.975
    assert 0.95 < float(error.square().mean().sqrt() / off.square().mean().sqrt()) < 1.3


def test_an_image_is_done_when_its_error_is_small() -> None:
    on, x, many = critic("plain", double=True), images(4, seed=3).double(), images(40, seed=70).double()
    found = ExpectedGradients(on, baseline=many[None], tol=0.05).attribute(x)
    share = found.error.norm(dim=1) / found.totals().norm(dim=1)
    assert bool((share <= 0.05).all())
    assert found.converged.all()
    assert len(set(found.evaluations.tolist())) > 1
    few = ExpectedGradients(on, baseline=many[None], tol=0.001, max_evaluations=100).attribute(x)
    assert not few.converged.any()
    assert (
        few.evaluations.tolist() == [10 + 80 + 3 + 39] * 4
    )  # the last 10 are no round; and the ends of the other baselines


@pytest.mark.parametrize("k", [1, 3, 50])
def test_a_linear_critic_leaves_nothing_to_sample(k: int) -> None:
    weight = torch.randn(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1)).double()
    x, many = images(2).double(), images(k, seed=9).double()
    found = ExpectedGradients(Critic(Linear(weight)), baseline=many[None]).attribute(x, side="real")
    assert torch.allclose(found.values, weight * (x - many.mean(0)), atol=1e-12)
    assert float(found.gap.abs().max()) < 1e-12
    assert float(found.error.max()) < 1e-12


def test_an_interacting_pair_shares_by_its_path() -> None:
    x, base = images(2).double(), images(1, seed=9).double()
    found = ExpectedGradients(Critic(Pair()), baseline=base, tol=1e-9).attribute(x, side="real")
    (x0, x1), (b0, b1) = ((v[:, 0], v[:, 5]) for v in (x.flatten(1), base.flatten(1)))
    truth = torch.stack([3 * (x0 - b0) * (b1 + x1) / 2, 3 * (x1 - b1) * (b0 + x0) / 2], 1)
    off = found.totals()[:, [0, 5]] - truth
    assert bool((off.abs() < 4 * found.error[:, [0, 5]] + 1e-12).all())
    assert not found.totals()[:, 1:5].any()


def test_values_are_those_of_shap_up_to_the_draws() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shap's own, on import
        import shap

    net, x, many = Net(), images(2), images(6, seed=70)
    found = ExpectedGradients(Critic(net), baseline=many[None], tol=0.01, max_evaluations=5000).attribute(
        x, side="real"
    )
    state = np.random.get_state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs, variances = shap.GradientExplainer(net, many, batch_size=200).shap_values(
            x, nsamples=2000, rseed=1, return_variances=True
        )
    np.random.set_state(state)
    theirs = torch.from_numpy(np.asarray(theirs).reshape(x.shape))
    spread = torch.from_numpy(np.asarray(variances).reshape(x.shape)) / 2000**0.5  # it returns variance / sqrt(n)
    width = (found.error.square() + groups.totals(spread, found.players)).sqrt()
    off = groups.totals(found.values - theirs, found.players).abs() / width.clamp(min=1e-12)
    assert float((off < 3).double().mean()) > 0.98
    assert float(off.max()) < 4.5


def test_all_known_reals_are_the_default() -> None:
    spied, reals = Spy(Net()), images(40, seed=5)
    on = Critic(spied).with_reference(reals)
    run = ExpectedGradients(on, max_evaluations=120)
    assert run.baseline.n == 40
    on.fast(images(1))
    spied.seen.batches.clear()
    found = run.attribute(images(1))
    assert found.baseline == "reals"
    assert torch.allclose(found.origins, reals.mean(0, keepdim=True), atol=1e-6)
    assert spied.seen.rows == int(found.evaluations) <= run.passes(64)
    assert ExpectedGradients(critic("plain")).baseline is None


@pytest.mark.parametrize(("k", "draws"), [(1, 80), (3, 80), (10, 80), (11, 80), (300, 83)])
def test_every_stratum_has_as_many_draws(k: int, draws: int) -> None:
    which, t = design(k, draws, 0, 0)
    assert len(which) == len(t) <= draws
    assert len(t) % CELL == 0
    assert 0 <= float(t.min()) <= float(t.max()) < 1
    if k <= draws // CELL:
        assert torch.equal(torch.bincount(which), torch.full((k,), len(t) // k))
        assert all(len(set(cell.tolist())) == 1 for cell in which.view(-1, CELL))
    strata = len(t) // CELL // (k if k <= draws // CELL else 1)
    cells = (t * strata).long().view(-1, CELL)
    assert torch.equal(cells, cells[:, :1].expand(-1, CELL))
    assert torch.equal(torch.bincount(cells[:, 0]), torch.full((strata,), len(cells) // strata))


def test_a_budget_has_a_floor() -> None:
    with pytest.raises(ValueError, match="max_evaluations must be at least 50, got 49"):
        ExpectedGradients(critic("plain"), max_evaluations=49)
