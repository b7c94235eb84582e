"""Distances against closed forms, scipy and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganexplain import tensors
from ganexplain.training.metrics import distances as module
from ganexplain.training.metrics import frechet, kid


def normals(n: int, k: int, seed: int) -> Tensor:
    return tensors.normal(seed, "features", shape=(n, k)).double()


def pair(k: int = 6) -> tuple[Tensor, Tensor]:
    return normals(200, k, 1), normals(150, k, 2) @ normals(k, k, 3) + 1


def test_frechet_of_scaled_and_shifted_copies_is_exact() -> None:
    rows = normals(300, 5, 0)
    shift = torch.arange(5, dtype=torch.float64)
    trace = float(torch.cov(rows.T).trace())
    assert frechet(rows, rows) == pytest.approx(0, abs=1e-9)
    assert frechet(rows, rows + shift) == pytest.approx(float(shift.square().sum()))
    about = rows - rows.mean(0)
    assert frechet(about, 3 * about) == pytest.approx((3 - 1) ** 2 * trace)


@pytest.mark.parametrize("k", [1, 6, 40])
def test_frechet_is_that_of_the_matrix_root_of_scipy(k: int) -> None:
    from scipy.linalg import sqrtm

    a, b = pair(k)
    one, two = np.cov(a.numpy().T).reshape(k, k), np.cov(b.numpy().T).reshape(k, k)
    gap = a.mean(0).numpy() - b.mean(0).numpy()
    expected = gap @ gap + np.trace(one + two - 2 * np.real(sqrtm(one @ two)))
    assert frechet(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet(a, b) == pytest.approx(frechet(b, a), rel=1e-9)


def test_frechet_of_fewer_rows_than_features_is_real() -> None:
    a, b = normals(20, 50, 4), normals(30, 50, 5) + 1  # both covariance matrices are singular
    assert 0 <= frechet(a, a) < 1e-5
    assert frechet(a, b) > float((a.mean(0) - b.mean(0)).square().sum())


class Pixels(nn.Module):
    """Features for torchmetrics: the image's values as they are."""

    num_features = 6

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)


def test_frechet_is_that_of_torchmetrics() -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance

    a, b = pair()
    other = FrechetInceptionDistance(feature=Pixels(), normalize=False).set_dtype(torch.float64)
    other.update(a[:, None, None], real=True)
    other.update(b[:, None, None], real=False)
    assert frechet(a, b) == pytest.approx(float(other.compute()), rel=1e-9)


def test_kid_of_all_rows_is_that_of_torchmetrics(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchmetrics.image.kid import poly_mmd

    a, b = normals(120, 6, 1), 1.2 * normals(120, 6, 2) + 0.3
    found = kid(a, b, subsets=3, size=1000)
    assert (found.size, found.subsets, found.sd) == (120, 3, pytest.approx(0, abs=1e-12))
    assert found.mean == pytest.approx(float(poly_mmd(a, b)), rel=1e-12)
    monkeypatch.setattr(module, "BLOCK", 50)
    assert kid(a, b, subsets=3).mean == pytest.approx(found.mean, rel=1e-12)


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save all:UserWarning")
def test_kid_over_subsets_is_that_of_torchmetrics_within_their_noise() -> None:
    from torchmetrics.image.kid import KernelInceptionDistance

    a, b = normals(400, 6, 1), 1.2 * normals(500, 6, 2) + 0.3
    other = KernelInceptionDistance(feature=Pixels(), subsets=100, subset_size=100).set_dtype(torch.float64)
    other.update(a[:, None, None], real=True)
    other.update(b[:, None, None], real=False)
    with tensors.isolated():
        mean, sd = (float(value) for value in other.compute())
    found = kid(a, b, size=100)
    assert found.mean == pytest.approx(mean, abs=4 * sd / 10)
    assert found.sd == pytest.approx(sd, rel=0.3)
    assert found == kid(a, b, size=100)
    assert found != kid(a, b, size=100, seed=1)


def test_kid_of_subsets_is_the_mean_over_pairs_counted_one_by_one() -> None:
    a, b = normals(7, 3, 1), normals(9, 3, 2) + 1
    found = kid(a, b, subsets=4, size=5)

    def kernel(x: Tensor, y: Tensor) -> float:
        return (float(x @ y) / 3 + 1) ** 3

    values = []
    for i in range(4):
        x, y = (rows[module._subsets(len(rows), 5, 4, 0, side)[i] > 0] for rows, side in ((a, "a"), (b, "b")))
        assert len(x) == len(y) == 5
        own = sum(kernel(s[j], s[k]) for s in (x, y) for j in range(5) for k in range(5) if j != k)
        values.append(own / 20 - 2 * sum(kernel(u, v) for u in x for v in y) / 25)
    assert found.mean == pytest.approx(np.mean(values), rel=1e-12)
    assert found.sd == pytest.approx(np.std(values), rel=1e-9)


def test_kid_of_one_distribution_is_zero_on_average_and_has_no_bias_by_number() -> None:
    found = [kid(normals(60, 4, i), normals(60, 4, 100 + i), subsets=1).mean for i in range(60)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))


@pytest.mark.parametrize("distance", [frechet, kid])
def test_what_has_no_distance_is_refused(distance: object) -> None:
    for shapes in [((1, 3), (5, 3)), ((5, 3), (5, 4)), ((5,), (5,))]:
        with pytest.raises(ValueError, match="two sets of 2 or more rows of one width"):
            distance(*(torch.zeros(shape) for shape in shapes))  # type: ignore[operator]


def test_subsets_of_one_row_are_refused() -> None:
    with pytest.raises(ValueError, match="size must be at least 2, got 1"):
        kid(normals(5, 2, 0), normals(5, 2, 1), size=1)
