"""Shapley values against permutations, closed forms and shap; standard errors against the truth."""

from __future__ import annotations

import warnings
from itertools import permutations

import numpy as np
import pytest
import torch
from torch import Tensor

from ganexplain import Critic, KernelShap, Pixel, Region
from ganexplain.attribution.methods.kernel_shap import coalition_pairs, constrained_fit
from tests._critics import Spy, critic, images
from tests._games import dividends, player, whole


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
    found = KernelShap(Critic(spied), domain=Pixel(), baseline="black").attribute(whole(n), side="real")
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


@pytest.mark.parametrize(("n", "pairs"), [(16, 500), (25, 128)])
def test_standard_errors_cover_the_truth(n: int, pairs: int) -> None:
    covered, wide = [], []
    for game in range(4):
        phi, worth = dividends(n, game)
        change = float(phi.sum())
        fits = [coalition_pairs(n, pairs, 100 * game + seed) for seed in range(25)]
        value, error = map(
            torch.stack, zip(*(constrained_fit(k.double(), worth(k), change) for k in fits), strict=True)
        )
        covered.append(((value - phi).abs() <= 1.96 * error).double().mean())
        wide.append(error.square().mean().sqrt() / (value - phi).square().mean().sqrt())
    assert 0.92 < float(torch.stack(covered).mean()) < 0.985  # 1,600 and 2,500 intervals
    assert 0.93 < float(torch.stack(wide).mean()) < 1.25


def test_coalitions_come_with_their_complement_and_follow_the_kernel() -> None:
    n = 14
    keep = coalition_pairs(n, 20_000, 0)
    assert torch.equal(keep[0::2], ~keep[1::2])
    sizes = keep[0::2].sum(1)
    k = torch.arange(1, n, dtype=torch.float64)
    expected = 1 / (k * (n - k)) / (1 / (k * (n - k))).sum()
    share = torch.bincount(sizes, minlength=n)[1:].double() / len(sizes)
    assert float((share - expected).abs().max()) < 4 * (0.25 / len(sizes)) ** 0.5
    assert float((keep[0::2][sizes == 3].double().mean(0) - 3 / n).abs().max()) < 0.05


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
    ("n", "budget", "exact"), [(12, 1000, True), (13, 9000, False), (12, 256, False), (10, 256, True)]
)
def test_exact_values_cost_at_most_five_budgets(n: int, budget: int, exact: bool) -> None:
    _, worth = dividends(n, 0)
    found = explained(worth, n, max_evaluations=budget)
    assert found.error.any() != exact
    assert int(found.evaluations) == (2**n if exact else budget + 2) + 3


def test_a_budget_has_a_floor() -> None:
    with pytest.raises(ValueError, match="max_evaluations must be at least 50, got 49"):
        KernelShap(critic("plain"), max_evaluations=49)
