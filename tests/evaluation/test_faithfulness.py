"""Insertion minus deletion against closed forms of additive critics and explicit evaluation."""

from __future__ import annotations

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
    assert spy.seen.rows == faithfulness.planned(n, 40) == 40 * LEVELS
    rank = torch.from_numpy(rng(7, "orders", n).random((20, n))).argsort(1)
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
    spy.seen.batches.clear()
    found.score(torch.arange(10))
    assert spy.seen.rows == faithfulness.planned_score(10)
    assert faithfulness.planned(3) == faithfulness.planned_score(3) == 0


def test_what_cannot_be_compared_is_named() -> None:
    with pytest.raises(ValueError, match="at least 4 regions are needed to compare orders, got 3"):
        orders(additive(3)[1], "real")
    with pytest.raises(ValueError, match="a chart of one input with players"):
        orders(Region().bind(Critic(lambda x: x.flatten(1).sum(1)), images(2), "black"), "real")
    with pytest.raises(ValueError, match="n_orders must be even"):
        orders(additive(5)[1], "real", n_orders=7)
    with pytest.raises(ValueError, match="unknown side"):
        orders(additive(5)[1], "left")
