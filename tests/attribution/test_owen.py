"""Owen values against the orders that keep groups together, closed forms and shap's partition explainer."""

from __future__ import annotations

import warnings
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganexplain import Critic, KernelShap, Owen, Pixel, Region
from ganexplain.attribution.methods._hierarchy import Hierarchy, most_openings
from tests._critics import Linear, Spy, critic, images
from tests._games import dividends, player, whole

Tree = int | tuple["Tree", "Tree"]


def explained(worth: object, n: int, **given: object) -> Any:
    return Owen(Critic(player(worth)), domain=Pixel(), baseline="black", **given).attribute(whole(n), side="real")


def tree(hierarchy: Hierarchy, low: int = 0, high: int | None = None) -> Tree:
    high = len(hierarchy.order) if high is None else high
    if high - low == 1:
        return int(hierarchy.order[low])
    cut = hierarchy.cut(low, high)
    left, right = tree(hierarchy, low, cut), tree(hierarchy, cut, high)
    return left, right


def walks(node: Tree) -> list[list[int]]:
    """Every order in which each group comes without interruption."""
    if isinstance(node, int):
        return [[node]]
    left, right = map(walks, node)
    return [a + b for a, b in product(left, right)] + [b + a for a, b in product(left, right)]


def by_walks(worth: Any, node: Tree, n: int) -> Tensor:
    """The mean over those orders of what a player adds to those before it (Owen 1977; Winter 1989 for levels)."""
    phi = torch.zeros(n, dtype=torch.float64)
    orders = walks(node)
    for order in orders:
        keep = torch.zeros(n + 1, n)
        for step, i in enumerate(order):
            keep[step + 1 :, i] = 1
        phi[order] += worth(keep).diff()
    return phi / len(orders)


@pytest.mark.parametrize("n", range(1, 8))
@pytest.mark.parametrize("game", [0, 1])
def test_values_are_the_mean_over_all_orders_that_keep_groups_together(n: int, game: int) -> None:
    _, worth = dividends(n, game, terms=30, largest=min(n, 5))
    found = explained(worth, n)
    nodes = tree(Hierarchy(torch.arange(n).view(1, 1, n)))
    assert torch.allclose(found.totals()[0], by_walks(worth, nodes, n), atol=1e-12)
    assert bool(found.converged)
    assert float(found.gap.abs()) < 1e-12
    assert found.error is None


@pytest.mark.parametrize("labels", ["0011", "0123012301230123", "001122334455", "0001112223330000"])
def test_groups_of_regions_keep_together_too(labels: str) -> None:
    mask = torch.tensor([int(c) for c in labels]).view(4, -1)
    n = int(mask.max()) + 1
    _, worth = dividends(n, 5, terms=30, largest=min(n, 4))
    on = Critic(lambda x: worth(torch.stack([(x[:, 0, mask == i].mean(1) > 0).double() for i in range(n)], 1)))
    x = torch.ones(1, 1, *mask.shape, dtype=torch.float64)
    found = Owen(on, domain=Region(mask), baseline="black").attribute(x, side="real")
    assert torch.allclose(found.totals()[0], by_walks(worth, tree(Hierarchy(mask[None])), n), atol=1e-12)


def theirs(on: Critic, x: Tensor, base: Tensor, players: Tensor, nodes: Tree, budget: int) -> tuple[Tensor, int]:
    """Values of shap on the same tree, and the coalitions that it took, beside the ends."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shap's own, on import
        import shap
    n = int(players.max()) + 1
    rows: list[list[int]] = []

    def number(node: Tree) -> tuple[int, int]:
        if isinstance(node, int):
            return node, 1
        (left, a), (right, b) = map(number, node)
        rows.append([left, right, 1, a + b])
        return n + len(rows) - 1, a + b

    number(nodes)

    def model(keep: np.ndarray) -> np.ndarray:
        kept = torch.from_numpy(np.asarray(keep, dtype=bool))[:, players]
        return on.logits(torch.where(kept[:, None], x, base)).numpy()

    masker = shap.maskers.Independent(np.zeros((1, n)), max_samples=1)
    masker.clustering = np.array(rows, dtype=float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        explainer = shap.explainers.Partition(model, masker)
        values = explainer(np.ones((1, n)), max_evals=budget, batch_size=2, silent=True).values[0]
    return torch.from_numpy(np.asarray(values)), explainer.last_eval_count


@pytest.mark.parametrize(("budget", "near"), [(1000, 1e-12), (50, 1e-12), (60, 1e-12), (100, 0.15)])
@pytest.mark.parametrize("seed", [2, 3])
def test_values_are_those_of_shap_opened_and_half_opened(budget: int, near: float, seed: int) -> None:
    on, x, base = critic("plain", double=True), images(1, seed=seed).double(), images(1, seed=9).double()
    mask = torch.arange(8)[:, None] // 2 * 4 + torch.arange(8)[None] // 2
    found = Owen(on, domain=Region(mask), baseline=base, max_evaluations=budget).attribute(x, side="real")
    nodes = tree(Hierarchy(found.players[0]))
    values, used = theirs(on, x, base, found.players[0, 0], nodes, budget)
    assert int(found.evaluations) == used + 2 + 3
    off = (found.totals()[0] - values).abs().max() / values.abs().max()
    assert float(off) < near  # shap opens one at a time here; from 62 coalitions on, Owen opens some together


@pytest.mark.parametrize("budget", [51, 60, 173, 500, 1000, 4000])
@pytest.mark.parametrize("domain", [Pixel(), Region(torch.arange(64).view(8, 8) % 37)])
def test_values_sum_to_the_change_at_any_budget_and_no_more_is_used(budget: int, domain: Any) -> None:
    spied = Spy(critic("plain", double=True).network)
    on, x = Critic(spied).double(), images(1).double()
    run = Owen(on, domain=domain, baseline="blur", max_evaluations=budget)
    on.fast(x)  # once for a critic
    spied.seen.batches.clear()
    found = run.attribute(x)
    n = int(found.players.max()) + 1
    assert float(found.gap.abs()) < 1e-12 * max(1.0, float(found.change.abs()))
    assert spied.seen.rows == int(found.evaluations) <= run.planned(n) <= budget + 3
    assert max(spied.seen.batches) <= 64
    assert budget < 1000 or max(spied.seen.batches) == 64


def test_more_evaluations_come_nearer_and_the_whole_says_that_it_converged() -> None:
    on, x = critic("plain", double=True), images(1).double()
    budgets = (50, 200, 800, 4000)
    maps = [Owen(on, domain=Pixel(), baseline="blur", max_evaluations=b).attribute(x) for b in budgets]
    off = [float((m.values - maps[-1].values).norm()) for m in maps]
    assert off[0] > off[1] > off[2] > off[3] == 0
    assert [bool(m.converged) for m in (maps[0], maps[-1])] == [False, True]
    assert int(maps[-1].evaluations) == 2 * (4**6 - 1) // 3 + 2 + 3  # 1 + 4 + ... nodes, two coalitions each


def test_what_is_not_opened_is_spread_evenly_over_its_block() -> None:
    on, x = critic("plain", double=True), images(1, side=8).double()
    found = Owen(on, domain=Pixel(), baseline="blur", max_evaluations=50).attribute(x)
    blocks = found.heatmap()[0]
    distinct = len(blocks.unique())
    assert 4 <= distinct < 64
    pairs = blocks.view(4, 2, 4, 2)  # 24 openings do not reach the last two of six levels everywhere
    assert bool((pairs == pairs[:, :1, :, :1]).all((1, 3)).any())


def test_equal_players_get_equal_values_and_one_that_adds_nothing_gets_nothing() -> None:
    found = explained(lambda keep: (keep[:, :2].sum(1) > 0).double() + keep[:, 2] * keep[:, 3], 5)
    assert torch.allclose(found.totals()[0], torch.tensor([0.5, 0.5, 0.5, 0.5, 0.0]).double(), atol=1e-12)
    assert float(found.totals()[0, 4]) == 0


def test_a_linear_critic_is_exact_once_every_node_is_open_and_equals_kernel_shap_in_blocks() -> None:
    weight = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    on, x = Critic(Linear(weight)).double(), images(1).double()
    found = Owen(on, domain=Pixel(), baseline="black", max_evaluations=4000).attribute(x, side="real")
    assert torch.allclose(found.values, weight * (x + 1), atol=1e-12)
    mask = torch.arange(8)[:, None] // 2 * 4 + torch.arange(8)[None] // 2
    given = {"domain": Region(mask), "baseline": "black"}
    one = Owen(on, **given).attribute(x)
    assert torch.allclose(one.values, KernelShap(on, **given).attribute(x).values, atol=1e-10)
    assert int(one.evaluations) == 172 + 3


def test_owen_values_differ_from_shapley_values_where_groups_matter() -> None:
    found = explained(lambda keep: keep[:, :2].amax(1) * keep[:, 2], 3)
    shapley = torch.tensor([1 / 6, 1 / 6, 2 / 3]).double()
    assert not torch.allclose(found.totals()[0], shapley)
    assert float(found.totals().sum()) == pytest.approx(1)


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (7, 12), (1, 9), (5, 3)])
def test_pixels_are_halved_into_blocks(shape: tuple[int, int]) -> None:
    height, width = shape
    hierarchy = Hierarchy(torch.arange(height * width).view(1, *shape))
    queue = [(0, height * width)]
    while queue:
        low, high = queue.pop()
        members = hierarchy.order[low:high]
        rows, columns = np.unique(members // width), np.unique(members % width)
        assert len(rows) * len(columns) == high - low  # a block
        if high - low > 1:
            cut = hierarchy.cut(low, high)
            assert max(cut - low, high - cut) <= 2 / 3 * (high - low)
            queue += [(low, cut), (cut, high)]


def test_regions_round_one_centre_are_halved_all_the_same() -> None:
    away = torch.stack(torch.meshgrid(torch.arange(15), torch.arange(15), indexing="ij")).sub(7).abs().amax(0)
    assert tree(Hierarchy(7 - away[None])) == (((0, 1), (2, 3)), ((4, 5), (6, 7)))  # squares round one centre


@pytest.mark.parametrize("n", [1, 2, 3, 8, 16, 25, 49])
def test_no_hierarchy_has_more_nodes_than_was_promised(n: int) -> None:
    def count(hierarchy: Hierarchy, low: int, high: int) -> int:
        if high - low == 1:
            return 0
        cut = hierarchy.cut(low, high)
        return 1 + 2 * count(hierarchy, low, cut) + 2 * count(hierarchy, cut, high)

    generator = torch.Generator().manual_seed(n)
    for _ in range(20):
        labels = torch.randint(n, (1, 12, 12), generator=generator)
        labels.view(-1)[:n] = torch.arange(n)
        assert count(Hierarchy(labels), 0, n) <= most_openings(n, 10**9)
    assert most_openings(n, 5) == min(5, most_openings(n, 10**9))


def test_images_with_different_numbers_of_players_share_a_batch() -> None:
    x = images(2)
    mask = torch.stack([torch.arange(64).view(8, 8) // 4, torch.arange(64).view(8, 8) // 16])
    both = Owen(critic("plain"), domain=Region(mask), baseline="blur").attribute(x)
    for row in (0, 1):
        alone = Owen(critic("plain"), domain=Region(mask[row]), baseline="blur").attribute(x[row : row + 1])
        assert torch.allclose(alone.values[0], both.values[row], atol=1e-6)
        assert int(alone.evaluations) == int(both.evaluations[row])
