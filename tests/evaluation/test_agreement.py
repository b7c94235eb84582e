"""Rank correlation against scipy, and the level that chance reaches."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ganexplain.evaluation.agreement import chance_level, ranks, spearman

SEVERAL = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=3, max_size=12)


@settings(max_examples=40)
@given(SEVERAL)
def test_rank_correlation_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    a, b = torch.tensor(pairs, dtype=torch.float64).T
    if len(a.unique()) == 1 or len(b.unique()) == 1:
        assert spearman(a, b) == 0.0  # scipy says NaN
    else:
        assert spearman(a, b) == pytest.approx(stats.spearmanr(a.numpy(), b.numpy()).statistic, abs=1e-12)
    assert np.array_equal(ranks(a).numpy(), stats.rankdata(a.numpy()))


@pytest.mark.parametrize(("n", "published"), [(8, 0.64), (16, 0.44), (1024, 0.05)])
def test_few_players_agree_by_chance(n: int, published: float) -> None:
    a, b = torch.from_numpy(np.random.default_rng(n).standard_normal((2, n)))
    assert chance_level(a, b) == pytest.approx(published, abs=0.025 if n < 100 else 0.006)


def test_the_level_is_that_of_all_permutations() -> None:
    a, b = torch.tensor([3.0, 1.0, 4.0, 1.5, 9.0, 2.0]), torch.tensor([0.0, 0.0, 1.0, 2.0, 3.0, 5.0])
    every = [spearman(a, b[list(order)]) for order in permutations(range(6))]
    assert chance_level(a, b, n=20_000) == pytest.approx(float(np.quantile(every, 0.95)), abs=0.03)
    assert chance_level(a, b, n=20_000, level=0.5) == pytest.approx(float(np.median(every)), abs=0.05)


def test_a_constant_map_agrees_with_nothing() -> None:
    flat, other = torch.ones(5), torch.arange(5.0)
    assert spearman(flat, other) == 0.0
    assert chance_level(flat, other) == 1.0


def test_the_seed_decides() -> None:
    a, b = torch.rand(2, 10, generator=torch.Generator().manual_seed(0))
    assert chance_level(a, b, seed=1) == chance_level(a, b, seed=1)
