"""Shapley values against permutations, closed forms and shap; standard errors against the truth."""

from __future__ import annotations

import warnings
from itertools import permutations
from math import comb

import numpy as np
import pytest
import torch
from torch import Tensor

from ganexplain import Critic, KernelShap, Pixel, Region
from ganexplain.attribution.methods._strata import coalition_pairs
from ganexplain.attribution.methods.kernel_shap import constrained_fit
from tests._critics import Spy, critic, images
from tests._games import covered, dividends, estimates, player, whole


def explained(worth: object, n: int, **given: object) -> object:
    return KernelShap(Critic(player(worth)), domain=Pixel(), baseline="black", **given).attribute(whole(n), side="real")


def by_permutations(worth: object, n: int) -> Tensor:
    """The mean over all orders of what a player adds to those before it."""
    phi = torch.zeros(n, dtype=torch.float64)
    orders = list(permutations(range(n)))
    for order in orders:
        keep = torch.zeros(n + 1, n)
        for step, i in enumerate(order):
            keep[step + 1 :, i] = 1
        phi[list(order)] += worth(keep).diff()
    return phi / len(orders)


def test_exact_values_are_the_mean_over_all_orders() -> None:
    _, worth = dividends(5, 1, terms=20)
    found = explained(worth, 5)
    assert torch.allclose(found.totals()[0], by_permutations(worth, 5), atol=1e-12)
    assert not found.error.any()


@pytest.mark.parametrize("n", [1, 2, 8, 12])
def test_exact_values_share_dividends_evenly(n: int) -> None:
    phi, worth = dividends(n, n, terms=30, largest=min(n, 5))
    spied = Spy(player(worth))
    run = KernelShap(Critic(spied), domain=Pixel(), baseline="black")
    run.critic.fast(whole(n))  # once for a critic
    spied.seen.batches.clear()
    found = run.attribute(whole(n), side="real")
    assert torch.allclose(found.totals()[0], phi, atol=1e-12)
    assert int(found.evaluations[0]) == spied.seen.rows == 2**n + 3


def test_an_interaction_of_two_gives_each_one_half() -> None:
    found = explained(lambda keep: 3 * keep[:, 0] * keep[:, 2], 4)
    assert torch.allclose(found.totals()[0], torch.tensor([1.5, 0.0, 1.5, 0.0], dtype=torch.float64))


def test_exact_values_are_those_of_shap_on_a_network() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shap's own, on import
        import shap

    on, x = critic("plain", double=True), images(1).double()
    mask = (torch.arange(8)[:, None] // 2 * 2 + torch.arange(8)[None] // 4).expand(8, 8)
    found = KernelShap(on, domain=Region(mask), baseline=images(1, seed=4).double()).attribute(x, side="real")

    def model(keep: np.ndarray) -> np.ndarray:
        kept = torch.from_numpy(np.asarray(keep, dtype=bool))[:, found.players[0, 0]][:, None]
        return on.logits(torch.where(kept, x, found.origins)).numpy()

    theirs = shap.explainers.Exact(model, shap.maskers.Independent(np.zeros((1, 8)), max_samples=1))(np.ones((1, 8)))
    assert np.allclose(theirs.values[0], found.totals()[0].numpy(), atol=1e-12)


@pytest.mark.parametrize("n", [13, 20, 40])
def test_sampled_values_lie_within_their_errors_and_sum_to_the_change(n: int) -> None:
    phi, worth = dividends(n, n)
    found = explained(worth, n)
    total, error = found.totals()[0], found.error[0]
    assert bool(error.gt(0).all())
    assert bool(((total - phi).abs() < 4 * error).all())
    assert float((total.sum() - phi.sum()).abs()) < 1e-9
    assert float(found.gap.abs()) < 1e-9
    few = explained(worth, n, max_evaluations=400).error[0].norm()
    assert (
        1.3 < float(few / explained(worth, n, max_evaluations=1600).error[0].norm()) < 3
    )  # about 1 / sqrt(evaluations)


@pytest.mark.parametrize("n", [13, 24])
def test_pairs_are_exact_for_games_of_pairs(n: int) -> None:
    # with its complement, a coalition's part of order two is linear in the indicators
    phi, worth = dividends(n, 3, largest=2)
    found = explained(worth, n, max_evaluations=200)
    assert torch.allclose(found.totals()[0], phi, atol=1e-10)
    assert float(found.error.max()) < 1e-10


def kernel_shap(budget: int) -> KernelShap:
    return KernelShap(Critic(player(lambda keep: keep.sum(1))), max_evaluations=budget)


FULL = [(n, pairs) for n in (9, 16, 25, 36) for pairs in (60, 120, 500, 1000) if 4 * n <= pairs < 2 ** (n - 1) // 2]


@pytest.mark.parametrize(
    ("n", "pairs", "seeds"),
    [(9, 60, 60), (16, 500, 32), *(pytest.param(n, m, 6000 // n, marks=pytest.mark.full) for n, m in FULL)],
)
def test_standard_errors_cover_the_truth(n: int, pairs: int, seeds: int) -> None:
    errors, spreads = estimates(kernel_shap(2 * pairs), n, games=4, seeds=seeds)
    assert errors.numel() >= 2000
    assert 0.93 <= covered(errors, spreads) <= 0.97
    assert 0.9 < float(spreads.square().mean().sqrt() / errors.square().mean().sqrt()) < 1.1


def test_sizes_halve_the_variance_of_independent_draws() -> None:
    n, pairs = 16, 500
    errors, _ = estimates(kernel_shap(2 * pairs), n, games=3, seeds=12)
    plain = []
    for game in range(3):
        phi, worth = dividends(n, game)
        for seed in range(12):
            keep = independent_pairs(n, pairs, seed)
            plain.append(by_least_squares(keep, torch.ones(2 * pairs), worth(keep), float(phi.sum())) - phi)
    assert float(errors.square().mean()) < 0.6 * float(torch.stack(plain).square().mean())


def independent_pairs(n: int, pairs: int, seed: int) -> Tensor:
    draw = np.random.default_rng(seed)
    sizes = np.arange(1, n)
    kernel = 1 / (sizes * (n - sizes))
    drawn = draw.choice(sizes, size=(pairs, 1), p=kernel / kernel.sum())
    keep = torch.from_numpy(draw.random((pairs, n)).argsort(1).argsort(1) < drawn)
    return torch.stack([keep, ~keep], 1).flatten(0, 1)


def by_least_squares(keep: Tensor, weight: Tensor, worth: Tensor, change: float) -> Tensor:
    """The last player's value is what is left of the change, which removes the constraint."""
    x = keep.double()
    root = weight.double().sqrt()
    design = (x[:, :-1] - x[:, -1:]) * root[:, None]
    phi = torch.linalg.lstsq(design, (root * (worth - x[:, -1] * change))[:, None]).solution[:, 0]
    return torch.cat([phi, change - phi.sum()[None]])


@pytest.mark.parametrize(("n", "pairs"), [(9, 60), (16, 500), (25, 120)])
def test_a_fit_is_the_least_squares_of_all_coalitions_under_the_kernel(n: int, pairs: int) -> None:
    phi, worth = dividends(n, 1)
    keep = coalition_pairs(n, pairs, 3)
    size = keep.sum(1)
    drawn = torch.bincount(size, minlength=n + 1).double()
    there = torch.tensor([float(comb(n, k)) for k in range(n + 1)])
    kernel = (n - 1) / (there * torch.arange(n + 1) * (n - torch.arange(n + 1)))  # Lundberg and Lee (2017), theorem 2
    weight = (kernel * there / drawn)[size]
    value, _ = constrained_fit(keep, worth(keep), float(phi.sum()))
    assert torch.allclose(value, by_least_squares(keep, weight, worth(keep), float(phi.sum())), atol=1e-9)


def test_all_coalitions_give_the_exact_values_and_no_error() -> None:
    phi, worth = dividends(8, 2)
    keep = coalition_pairs(8, 127, 0)
    value, error = constrained_fit(keep, worth(keep), float(phi.sum()))
    assert torch.allclose(value, phi, atol=1e-12)
    assert not error.any()


@pytest.mark.parametrize(("n", "pairs"), [(8, 32), (9, 254), (13, 500), (16, 500), (25, 120), (64, 300), (200, 800)])
def test_coalitions_come_with_their_complement_and_none_twice(n: int, pairs: int) -> None:
    keep = coalition_pairs(n, pairs, 0)
    assert keep.shape == (2 * pairs, n)
    assert torch.equal(keep[0::2], ~keep[1::2])
    assert len(keep.unique(dim=0)) == 2 * pairs
    sizes = torch.bincount(keep.sum(1), minlength=n + 1)
    assert sizes[0] == 0
    assert torch.equal(sizes, sizes.flip(0))
    assert bool(sizes[1:-1].ge(2).all())
    for k in range(1, n):
        assert int(sizes[k]) <= comb(n, k)


def test_every_coalition_of_a_size_is_drawn_equally_often() -> None:
    n, drawn = 8, torch.zeros(256)
    for seed in range(600):
        drawn.index_add_(0, (coalition_pairs(n, 32, seed).long() * 2 ** torch.arange(n)).sum(1), torch.ones(64))
    size = ((torch.arange(256)[:, None] >> torch.arange(n)) & 1).sum(1)
    for k in range(1, n):
        share = drawn[size == k] / 600
        assert float((share - share.mean()).abs().max()) < 5 * (0.25 / 600) ** 0.5


def test_images_with_different_numbers_of_players_share_a_batch() -> None:
    x = images(2)
    mask = torch.stack([torch.arange(64).view(8, 8) // 4, torch.arange(64).view(8, 8) // 16])
    both = KernelShap(critic("plain"), domain=Region(mask), baseline="blur").attribute(x)
    assert both.totals().shape == (2, 16)
    assert not both.totals()[1, 4:].any()
    for row in (0, 1):
        alone = KernelShap(critic("plain"), domain=Region(mask[row]), baseline="blur").attribute(x[row : row + 1])
        assert torch.allclose(alone.values[0], both.values[row], atol=1e-6)


@pytest.mark.parametrize(
    ("n", "budget", "exact"), [(12, 1000, True), (13, 9000, True), (13, 8000, False), (12, 256, False), (10, 256, True)]
)
def test_exact_values_cost_at_most_five_budgets(n: int, budget: int, exact: bool) -> None:
    _, worth = dividends(n, 0)
    found = explained(worth, n, max_evaluations=budget)
    assert found.error.any() != exact
    assert int(found.evaluations) == (2**n if exact else budget + 2) + 3


def test_a_budget_has_a_floor() -> None:
    with pytest.raises(ValueError, match="max_evaluations must be at least 50, got 49"):
        KernelShap(critic("plain"), max_evaluations=49)
