"""Insertion minus deletion against closed forms of additive critics and explicit evaluation."""

from __future__ import annotations

import dataclasses
from itertools import permutations

import pytest
import torch
from torch import Tensor

from ganexplain import Critic, Pixel, Region
from ganexplain.attribution.chart import Chart
from ganexplain.evaluation import faithfulness
from ganexplain.evaluation.faithfulness import LEVELS, orders, symmetric_levels
from tests._critics import Spy, images
from tests._games import dividends, player, whole


def chart(worth: object, n: int) -> Chart:
    return Pixel().bind(Critic(player(worth)), whole(n), "black")


def additive(n: int, seed: int = 0) -> tuple[Tensor, Chart]:
    weight = torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return weight, chart(lambda keep: keep.double() @ weight, n)


@pytest.mark.parametrize("n", [4, 7, 9, 25])
@pytest.mark.parametrize("side", ["real", "fake"])
def test_an_additive_critic_has_a_closed_form(n: int, side: str) -> None:
    weight, on = additive(n)
    sign = 1 if side == "real" else -1
    found = orders(on, side)
    total = torch.randn(n, generator=torch.Generator().manual_seed(1))
    first = sign * weight[total.argsort(descending=True)]
    # with k in place against k removed: the sum of the k first minus that of the others
    exact = torch.stack([first[:k].sum() - first[k:].sum() for k in symmetric_levels(n)]).mean()
    assert found.score(total) == pytest.approx(float(exact), abs=1e-9)
    assert found.score(-total) == pytest.approx(-float(exact), abs=1e-9)


@pytest.mark.parametrize("side", ["real", "fake"])
def test_the_true_order_is_the_best_and_its_reverse_the_worst(side: str) -> None:
    weight, on = additive(16)
    found = orders(on, side)
    true = weight if side == "real" else -weight
    assert found.percentile(true) == 1.0
    assert found.percentile(-true) == 0.0
    assert found.score(true) > float(found.random.max())


def test_the_best_of_all_orders() -> None:
    weight, on = additive(5)
    found = orders(on, "real")
    ranked = [torch.tensor(order, dtype=torch.float64) for order in permutations(range(5))]
    scores = torch.tensor([found.score(order) for order in ranked], dtype=torch.float64)
    assert found.score(weight) == pytest.approx(float(scores.max()))
    assert float(found.random.max()) <= float(scores.max()) + 1e-9
    assert float(found.random.min()) >= float(scores.min()) - 1e-9


def test_an_order_and_its_reverse_are_computed_once() -> None:
    # on a critic that is not additive, each random order is scored explicitly from its own map
    from ganexplain.tensors import rng

    n = 13
    _, worth = dividends(n, 4)
    spy = Spy(player(worth))
    on = Pixel().bind(Critic(spy).together(), whole(n), "black")
    found = orders(on, "fake", n_orders=40, seed=7)
    rank = torch.from_numpy(rng(7, "orders", n).random((20, n))).argsort(1)
    both = [keep for k in symmetric_levels(n) for keep in (rank < k, rank >= k)]
    assert spy.seen.rows == len(torch.unique(torch.cat(both), dim=0)) < 40 * LEVELS
    assert spy.seen.rows == faithfulness.planned(n, 40, seed=7)
    explicit = torch.tensor([found.score(-r.double()) for r in rank], dtype=torch.float64)
    assert torch.allclose(found.random[:20], explicit, atol=1e-12)
    back = torch.tensor([found.score(r.double()) for r in rank], dtype=torch.float64)
    assert torch.allclose(found.random[20:], back, atol=1e-12)
    assert torch.allclose(found.random[:20], -found.random[20:])


def test_ties_count_one_half() -> None:
    found = orders(chart(lambda keep: keep[:, 0].double() * 0, 6), "real")
    assert found.percentile(torch.arange(6)) == 0.5


@pytest.mark.parametrize("n", range(4, 60))
def test_levels_are_symmetric(n: int) -> None:
    levels = symmetric_levels(n)
    assert {n - k for k in levels} == set(levels)
    assert min(levels) >= 1
    assert max(levels) < n
    assert len(levels) == min(n - 1, LEVELS)


def test_the_counts_that_are_promised() -> None:
    _, worth = dividends(10, 0)
    spy = Spy(player(worth))
    on = Pixel().bind(Critic(spy).together(), whole(10), "black")
    found = orders(on, "real")
    assert spy.seen.rows == faithfulness.planned(10)
    for score in range(3):
        found.score(torch.rand(10, generator=torch.Generator().manual_seed(score)))
    assert spy.seen.rows <= faithfulness.planned(10, n_scores=3) <= 1.1 * spy.seen.rows
    assert faithfulness.planned(3, n_scores=1) == 0


@pytest.mark.parametrize("n", [5, 9])
def test_no_coalition_is_evaluated_twice(n: int) -> None:
    _, worth = dividends(n, 0)
    spy = Spy(player(worth))
    found = orders(Pixel().bind(Critic(spy).together(), whole(n), "black"), "real", n_orders=4000)
    every = 2**n - 2  # but the empty and the whole one
    assert spy.seen.rows == faithfulness.planned(n, 4000) == every
    found.score(torch.rand(n))
    assert spy.seen.rows == every
    assert faithfulness.planned(n, 4000, n_scores=5) == every


def test_a_set_without_a_mean_is_averaged_over_its_members() -> None:
    _, on = additive(6)
    starts = torch.linspace(0, 0.9, 8, dtype=torch.float64).view(1, 8, 1, 1, 1) * torch.ones_like(on.point)[:, None]
    many = dataclasses.replace(on, origin=starts.mean(1), origins=starts, shown=starts[:, 0])
    found = orders(many, "real")
    kept = (1 - starts[0, ::2].mean()) / 2  # of every second member; the origin of the other one lies at -1
    exact = orders(on, "real")
    total = torch.rand(6, generator=torch.Generator().manual_seed(3))
    assert found.score(total) == pytest.approx(float(kept) * exact.score(total))
    assert torch.allclose(found.random, float(kept) * exact.random)


def test_what_cannot_be_compared_is_named() -> None:
    with pytest.raises(ValueError, match="at least 4 regions are needed to compare orders, got 3"):
        orders(additive(3)[1], "real")
    with pytest.raises(ValueError, match="a chart of one input with players"):
        orders(Region().bind(Critic(lambda x: x.flatten(1).sum(1)), images(2), "black"), "real")
    with pytest.raises(ValueError, match="n_orders must be even"):
        orders(additive(5)[1], "real", n_orders=7)
    with pytest.raises(ValueError, match="unknown side"):
        orders(additive(5)[1], "left")
