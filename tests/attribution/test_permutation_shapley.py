"""Permutation Shapley against exact values, walks by hand and shap; errors of few pairs against the truth."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from ganexplain import Critic, KernelShap, PermutationShapley, Pixel, Region
from ganexplain.attribution.methods.permutation_shapley import orders, prefixes
from tests._critics import Spy, critic, images
from tests._games import covered, dividends, estimates, player, whole


def explained(worth: object, n: int, **given: object) -> object:
    on = Critic(player(worth))
    return PermutationShapley(on, domain=Pixel(), baseline="black", **given).attribute(whole(n), side="real")


@pytest.mark.parametrize("n", [1, 2, 7, 12])
def test_few_players_are_enumerated(n: int) -> None:
    phi, worth = dividends(n, n, terms=30, largest=min(n, 5))
    found = explained(worth, n)
    assert torch.allclose(found.totals()[0], phi, atol=1e-12)
    assert not found.error.any()
    assert int(found.evaluations) == 2**n + 3


@pytest.mark.parametrize("n", [13, 20, 40])
def test_values_lie_within_their_errors_and_each_order_shares_the_whole_change(n: int) -> None:
    phi, worth = dividends(n, n)
    found = explained(worth, n, max_evaluations=8000)  # errors of a few pairs have long tails
    total, error = found.totals()[0], found.error[0]
    assert bool(((total - phi).abs() < 4 * error + 1e-12).all())
    assert float(found.gap.abs()) < 1e-12
    few = explained(worth, n, max_evaluations=1000).error[0].norm()
    assert 1.3 < float(few / explained(worth, n, max_evaluations=4000).error[0].norm()) < 3


def test_values_are_the_mean_of_what_players_add_on_walks_in_both_directions() -> None:
    n, budget = 14, 400
    _, worth = dividends(n, 3)
    found = explained(worth, n, max_evaluations=budget)
    place = orders(n, (budget - 2) // (2 * (n - 1)), 0)
    added = []
    for order in place.argsort(1).tolist():
        for walk in (order, order[::-1]):
            steps = torch.zeros(n + 1, n)
            for k, i in enumerate(walk):
                steps[k + 1 :, i] = 1
            phi = torch.zeros(n, dtype=torch.float64)
            phi[walk] = worth(steps).diff()
            added.append(phi)
    assert torch.allclose(found.totals()[0], torch.stack(added).mean(0), atol=1e-12)
    pairs = torch.stack(added).view(-1, 2, n).mean(1)
    plain = pairs.std(0) / len(pairs) ** 0.5
    from scipy.stats import t

    wide = t(len(pairs) - 1).ppf(0.975) / 1.959964
    assert torch.allclose(found.error[0], wide * plain, rtol=1e-6)


def test_pairs_of_orders_are_exact_for_games_of_pairs() -> None:
    phi, worth = dividends(24, 3, largest=2)
    found = explained(worth, 24, max_evaluations=300)
    assert torch.allclose(found.totals()[0], phi, atol=1e-12)
    assert float(found.error.max()) < 1e-12


def test_a_player_that_adds_nothing_gets_nothing_and_equals_get_the_same() -> None:
    found = explained(lambda keep: keep[:, 1] * keep[:, 2] * keep[:, 3] + keep[:, 4:].prod(1), 14)
    total, error = found.totals()[0], found.error[0]
    assert float(total[0]) == float(error[0]) == 0
    equal = total[1:4] - 1 / 3
    assert bool((equal.abs() < 3 * error[1:4]).all())


@pytest.mark.parametrize(("n", "budget", "pairs"), [(13, 1000, 41), (16, 50, 6), (40, 1000, 12), (100, 1000, 6)])
def test_as_many_whole_pairs_as_the_budget_pays_for_and_at_least_six(n: int, budget: int, pairs: int) -> None:
    _, worth = dividends(n, 0)
    spied = Spy(player(worth))
    run = PermutationShapley(Critic(spied), domain=Pixel(), baseline="black", max_evaluations=budget)
    run.critic.fast(whole(n))  # once for a critic
    spied.seen.batches.clear()
    found = run.attribute(whole(n), side="real")
    assert int(found.evaluations) == spied.seen.rows == run.planned(n) == 2 * (n - 1) * pairs + 2 + 3


def permutation_shapley(budget: int) -> PermutationShapley:
    return PermutationShapley(Critic(player(lambda keep: keep.sum(1))), max_evaluations=budget)


FULL = [(n, pairs) for n in (9, 16, 25, 36) for pairs in (6, 8, 14, 30)]


@pytest.mark.parametrize(
    ("n", "pairs", "seeds"),
    [(16, 6, 64), (25, 20, 40), *(pytest.param(n, m, 6000 // n, marks=pytest.mark.full) for n, m in FULL)],
)
def test_standard_errors_cover_the_truth(n: int, pairs: int, seeds: int) -> None:
    errors, spreads = estimates(permutation_shapley(2 * (n - 1) * pairs + 2), n, games=4, seeds=seeds)
    assert errors.numel() >= 2000
    assert 0.93 <= covered(errors, spreads) <= 0.97


def test_prefixes_are_those_of_each_order_and_of_its_reverse() -> None:
    place = orders(5, 3, 0)
    keep = prefixes(place).view(3, 2, 4, 5)
    for i, order in enumerate(place.argsort(1).tolist()):
        for k in range(1, 5):
            assert sorted(torch.where(keep[i, 0, k - 1])[0].tolist()) == sorted(order[:k])
            assert sorted(torch.where(keep[i, 1, k - 1])[0].tolist()) == sorted(order[-k:])


def test_more_orders_continue_the_first_ones() -> None:
    assert torch.equal(orders(9, 4, 1), orders(9, 20, 1)[:4])


def test_sampled_values_agree_with_those_of_shap_and_kernel_shap_on_a_network() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shap's own, on import
        import shap

    on, x, base = critic("plain", double=True), images(1).double(), images(1, seed=4).double()
    mask = torch.arange(8)[:, None] // 2 * 4 + torch.arange(8)[None] // 2
    given = {"domain": Region(mask.expand(8, 8)), "baseline": base, "max_evaluations": 4000}
    found = PermutationShapley(on, **given).attribute(x, side="real")
    exact = KernelShap(on, **{**given, "max_evaluations": 2**16}).attribute(x, side="real")
    assert not exact.error.any()

    def model(keep: np.ndarray) -> np.ndarray:
        kept = torch.from_numpy(np.asarray(keep, dtype=bool))[:, found.players[0, 0]][:, None]
        return on.logits(torch.where(kept, x, base)).numpy()

    masker = shap.maskers.Independent(np.zeros((1, 16)), max_samples=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = shap.explainers.Permutation(model, masker, seed=0)(np.ones((1, 16)), max_evals=4000).values[0]
    total, error = found.totals()[0], found.error[0]
    assert bool(((total - exact.totals()[0]).abs() < 4 * error).all())
    assert bool(((total - torch.from_numpy(theirs)).abs() < 6 * error).all())
