"""Responses of a linear generator, where every one is known, and the matching by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganexplain import Directions
from ganexplain.evaluation.selectivity import Responses, responses
from ganexplain.models.generator import Generator


class Pixels(Generator):
    """The code is the image, a tenth as strong."""

    z_dim, resolution, channels = 4, 2, 1

    def forward(self, z: Tensor) -> Tensor:
        return 0.1 * z.reshape(-1, 1, 2, 2)


def factors(images: Tensor) -> Tensor:
    """Two pixels, the second ten times as large."""
    return images.flatten(1)[:, :2] * torch.tensor([1.0, 10.0])


def given(rows: list[list[float]]) -> Directions:
    vectors = torch.nn.functional.normalize(torch.tensor(rows).float(), dim=1)
    return Directions(vectors, torch.full((len(rows),), 2.0))


def test_a_linear_generator_at_equal_image_change() -> None:
    generator = Pixels()
    codes = generator.sample(200, seed=1)
    directions = given([[1, 0, 0, 0], [3, 4, 0, 0], [0, 0, 1, 0]])
    found = responses(directions, generator, factors, codes, change=0.02)
    torch.testing.assert_close(found.image, torch.full((3,), 0.02), rtol=2e-3, atol=0)
    # mean |dI| = .1 * 2 amount * |v|_1 / 4
    expected = torch.tensor([0.02 * 4 / 0.2, 0.02 * 4 / 0.2 / 1.4, 0.02 * 4 / 0.2])
    torch.testing.assert_close(found.amounts, expected, rtol=2e-3, atol=0)
    unit = codes[:, :2].double().std(0)
    step = torch.tensor([[1, 0], [0.6, 0.8], [0, 0]]).double() * 2 * found.amounts[:, None]
    torch.testing.assert_close(found.matrix, step / unit, rtol=1e-4, atol=1e-6)
    share = found.matrix[1] / found.matrix[1].sum()
    torch.testing.assert_close(found.selectivity, torch.tensor([1.0, float(share.max()), 0.0]).double())
    assert found.matched()[0].tolist() == [0, 1]
    assert found.score == pytest.approx((1 + float(share[1])) / 2)


def test_a_direction_serves_one_factor_only_and_a_factor_without_one_has_nothing() -> None:
    matrix = torch.tensor([[4.0, 3.0, 0.0], [1.0, 0.0, 0.0]]).double()
    found = Responses(matrix, torch.ones(2), torch.ones(2))
    index, share = found.matched()
    assert index.tolist() == [1, 0, -1]
    torch.testing.assert_close(share, torch.tensor([1.0, 3 / 7, 0.0]).double())
    assert found.score == pytest.approx((1 + 3 / 7) / 3)


def test_what_changes_nothing_is_edited_no_further_than_the_limit() -> None:
    class Still(Pixels):
        def forward(self, z: Tensor) -> Tensor:
            return torch.zeros(len(z), 1, 2, 2)

    found = responses(given([[1, 0, 0, 0]]), Still(), factors, Still().sample(3))
    assert (found.amounts.tolist(), found.image.tolist()) == ([8.0], [0.0])
    assert found.selectivity.tolist() == [0.0]


def test_bad_input_is_refused() -> None:
    generator = Pixels()
    with pytest.raises(ValueError, match="at least 2 codes, got 1"):
        responses(given([[1, 0, 0, 0]]), generator, factors, generator.sample(1))
    with pytest.raises(ValueError, match=r"factors must return \(N, F\)"):
        responses(given([[1, 0, 0, 0]]), generator, lambda x: x.mean((1, 2, 3)), generator.sample(3))
