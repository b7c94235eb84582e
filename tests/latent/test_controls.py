"""Random directions and axes: uniform, ranked by what they change, and told from chance by other directions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.latent.finders.coordinate import CHANCE, Coordinate
from ganexplain.latent.finders.random import Random
from ganexplain.models.generator import Generator
from tests.latent._generators import OneLayer, TwoSpaces, matrix, trained_like


class Wide(Generator):
    """Says only how wide its codes are."""

    resolution, channels = 1, 1

    def __init__(self, z_dim: int, prior: str = "normal") -> None:
        super().__init__()
        self.z_dim, self.prior = z_dim, prior


def test_random_directions_are_orthonormal_and_cover_the_sphere() -> None:
    found = [Random(n_directions=2).fit(Wide(5), seed=s).directions_.vectors for s in range(600)]
    drawn = torch.stack(found).double()
    torch.testing.assert_close(drawn @ drawn.mT, torch.eye(2).double().expand(600, 2, 2), atol=1e-6, rtol=0)
    for k in range(2):  # uniform directions have the second moment I / d
        moment = drawn[:, k].T @ drawn[:, k] / 600
        torch.testing.assert_close(moment, torch.eye(5).double() / 5, atol=0.05, rtol=0)
    assert not torch.equal(found[0], found[1])


def test_random_directions_claim_nothing() -> None:
    found = Random(n_directions=9).fit(Wide(4, "uniform")).directions_
    assert len(found) == 4
    assert found.strength is None
    assert found.stands_out == (False,) * 4
    assert found.scale.tolist() == pytest.approx([3**-0.5] * 4)


def test_random_directions_of_another_space_have_its_spread() -> None:
    generator = TwoSpaces()
    found = Random(space="w", n_directions=3).fit(generator).directions_
    codes = generator.encode(generator.sample(20_000, seed=4), "w").detach()
    torch.testing.assert_close(found.scale, (codes @ found.vectors.T).std(0), rtol=0.05, atol=0)


@pytest.mark.parametrize(("prior", "std"), [("normal", 1.0), ("uniform", 3**-0.5)])
def test_axes_of_a_linear_generator_change_pixels_by_their_column(prior: str, std: float) -> None:
    A = matrix(16, 6, size=0.1) * torch.tensor([0.1, 2.0, 1.0, 0.5, 3.0, 0.2])
    finder = Coordinate(n_directions=4, n_samples=7).fit(OneLayer(A, prior=prior))
    found = finder.directions_
    expected = std * A.abs().mean(0)
    torch.testing.assert_close(finder.changes_.float(), expected, rtol=1e-5, atol=1e-7)
    order = expected.argsort(descending=True)[:4]
    assert found.params["axes"] == order.tolist()
    assert found.names == tuple(f"axis {i}" for i in order.tolist())
    assert torch.equal(found.vectors, torch.eye(6)[order])
    torch.testing.assert_close(found.strength, expected[order], rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(found.scale, torch.full((4,), std))


def test_an_axis_stands_out_when_it_does_more_than_random_directions() -> None:
    A = matrix(64, 12, size=0.05)
    A[:, 3] *= 8
    found = Coordinate(n_samples=2).fit(OneLayer(A)).directions_
    assert found.names[0] == "axis 3"
    assert (found.stands_out or ())[0]
    assert sum(found.stands_out or ()) <= 2
    # a step along a random direction v changes pixels by A v
    drawn = torch.nn.functional.normalize(tensors.normal(5, "v", shape=(4000, 12)), dim=1)
    assert found.params["random_95"] == pytest.approx(float((drawn @ A.T).abs().mean(1).quantile(CHANCE)), rel=0.25)


def test_axes_are_measured_over_codes_in_one_batch_or_many() -> None:
    generator = trained_like()
    one, two = (Coordinate(n_samples=5, batch_size=b).fit(generator) for b in (3, 500))
    torch.testing.assert_close(one.changes_, two.changes_, rtol=1e-5, atol=0)
    still = generator.eval()
    codes = torch.cat(list(one._codes(still, 5, seed=0, stream="coordinate")))
    by_hand = torch.stack([(still.render(codes + a) - still.render(codes)).abs().mean() for a in torch.eye(7)])
    torch.testing.assert_close(one.changes_.float(), by_hand, rtol=1e-4, atol=1e-7)


class Dead(TwoSpaces):
    """Two numbers of w never change."""

    def encode(
        self, codes: Tensor, to: str, *, source: str = "z", labels: Tensor | None = None, truncation_psi: float = 1.0
    ) -> Tensor:
        mapped = super().encode(codes, to, source=source)
        if (source, to) != ("z", "w"):
            return mapped
        return mapped * torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0])


def test_axes_that_no_code_uses_are_left_out() -> None:
    assert sorted(Coordinate(space="w", n_samples=3).fit(Dead()).directions_.params["axes"]) == [0, 2, 4]
    none = Dead()
    none.mapping[2].weight = torch.nn.Parameter(torch.zeros(5, 5))
    with pytest.raises(ValueError, match="the codes in w are all the same"):
        Coordinate(space="w", n_samples=3).fit(none)
