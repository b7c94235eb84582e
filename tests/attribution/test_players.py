"""Players: sums hold whatever the labels, shapes and numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor

from ganexplain.attribution import players as groups

LABELS = hnp.arrays(
    np.int64, hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=4), elements=st.integers(-4, 4)
)


def canonical(labels: np.ndarray) -> Tensor:
    return groups.canonical(torch.from_numpy(labels))


@settings(max_examples=30)
@given(LABELS)
def test_canonical_labels_count_from_zero_in_reading_order(labels: np.ndarray) -> None:
    found = canonical(labels)
    for row, given_ in zip(found.flatten(1).tolist(), labels.reshape(len(labels), -1).tolist(), strict=True):
        assert row == [list(dict.fromkeys(given_)).index(v) for v in given_]
    assert groups.counts(found).tolist() == [len(np.unique(row)) for row in labels]
    assert torch.equal(groups.canonical(found), found)


@settings(max_examples=30)
@given(LABELS, st.permutations(range(9)))
def test_names_of_labels_do_not_matter(labels: np.ndarray, names: list[int]) -> None:
    assert torch.equal(canonical(labels), canonical(np.array(names)[labels + 4]))


@settings(max_examples=30)
@given(LABELS, st.integers(0, 99))
def test_totals_sum_each_player(labels: np.ndarray, seed: int) -> None:
    found = canonical(labels)
    values = torch.from_numpy(np.random.default_rng(seed).standard_normal(labels.shape))
    total = groups.totals(values, found)
    for row in range(len(labels)):
        for p in range(total.shape[1]):
            assert float(total[row, p]) == pytest.approx(float(values[row][found[row] == p].sum()), abs=1e-12)
    assert torch.allclose(total.sum(1), values.flatten(1).sum(1), atol=1e-12)
    assert torch.equal(groups.sizes(found), groups.totals(torch.ones(labels.shape).double(), found))


@settings(max_examples=30)
@given(LABELS, st.integers(0, 99))
def test_what_is_spread_sums_back_to_the_totals(labels: np.ndarray, seed: int) -> None:
    found = canonical(labels)
    total = torch.from_numpy(
        np.random.default_rng(seed).standard_normal((len(labels), int(groups.counts(found).max())))
    )
    total[groups.sizes(found) == 0] = 0
    values = groups.spread(total, found, torch.Size(labels.shape))
    assert torch.allclose(groups.totals(values, found), total, atol=1e-12)
    for row in range(len(labels)):
        for p in range(int(groups.counts(found)[row])):
            assert len(values[row][found[row] == p].unique()) == 1


@settings(max_examples=30)
@given(LABELS, st.integers(0, 99))
def test_one_row_of_labels_serves_every_image(labels: np.ndarray, seed: int) -> None:
    one = canonical(labels[:1])
    values = torch.from_numpy(np.random.default_rng(seed).standard_normal((3, *labels.shape[1:])))
    assert torch.equal(groups.totals(values, one), groups.totals(values, one.expand(3, *labels.shape[1:])))
    total = groups.totals(values, one)
    assert torch.allclose(groups.totals(groups.spread(total, one, values.shape), one), total, atol=1e-12)


@settings(max_examples=30)
@given(LABELS, st.integers(0, 99))
def test_compose_takes_the_kept_from_the_point_and_the_rest_from_the_origin(labels: np.ndarray, seed: int) -> None:
    found, draw = canonical(labels[:1]), np.random.default_rng(seed)
    point, origin = torch.ones(found.shape), -torch.ones(found.shape)
    keep = torch.from_numpy(draw.integers(0, 2, (6, int(groups.counts(found)[0]))).astype(bool))
    made = groups.compose(point, origin, found, keep)
    assert torch.equal(made > 0, torch.stack([row[found[0]] for row in keep]))
    both = groups.compose(origin, point, found, ~keep)
    assert torch.equal(made, both)


def test_labels_are_integers_and_not_too_many() -> None:
    with pytest.raises(TypeError, match=r"mask must be integer labels, got torch.float32"):
        groups.check_labels(torch.rand(3, 3), "mask")
    assert groups.check_labels(torch.ones(2, 2, dtype=torch.uint8)).dtype == torch.int64
    with pytest.raises(ValueError, match="lime removes groups of coordinates, and this domain has none"):
        groups.limited(None, 5, "lime")
    with pytest.raises(ValueError, match=r"lime takes at most 5 players, got 6; use domain=Region\(\)"):
        groups.limited(torch.arange(6)[None], 5, "lime")
