"""Effects of directions on a linear critic of a linear generator, where they are known exactly."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ganexplain import Critic, tensors
from ganexplain.latent.directions import Directions, spread
from ganexplain.latent.effects import effects, random_directions
from ganexplain.models.generator import Generator

D = 5


class Linear(Generator):
    """Images W z + b, small enough to stay in [-1, 1]."""

    z_dim, resolution, channels = D, 4, 1

    def __init__(self, prior: str = "normal") -> None:
        super().__init__()
        self.prior = prior
        self.map = nn.Linear(D, 16).requires_grad_(False)
        self.map.weight.copy_(0.03 * tensors.normal(0, "w", shape=(16, D)))

    def forward(self, z: Tensor) -> Tensor:
        return self.map(z).reshape(-1, 1, 4, 4)


WEIGHT = tensors.normal(0, "critic", shape=(16,))


def critic(output: str = "logit") -> Critic:
    return Critic(lambda x: x.flatten(1) @ WEIGHT.to(x) + 2.0, output=output)


def some(generator: Generator, k: int = 3) -> Directions:
    vectors = nn.functional.normalize(tensors.normal(1, "d", shape=(k, D)), dim=1)
    return Directions(vectors, spread(generator, vectors, "z"), prior=generator.prior)


@pytest.mark.parametrize("prior", ["normal", "uniform"])
@pytest.mark.parametrize("step", [0.5, 2.0])
def test_a_linear_critic_of_a_linear_generator(prior: str, step: float) -> None:
    generator = Linear(prior)
    directions = some(generator)
    measured = effects(directions, generator, critic(), generator.sample(20), step=step)
    moved = directions.steps() @ generator.map.weight.T  # (K, 16) what one standard deviation adds to the image
    torch.testing.assert_close(measured.found.mean.float(), moved @ WEIGHT, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(measured.found.absolute.float(), (moved @ WEIGHT).abs(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(measured.found.image.float(), moved.abs().mean(1), atol=1e-5, rtol=1e-4)
    assert float(measured.found.error.max()) < 1e-5
    assert measured.found.agreement.tolist() == [1, 1, 1]
    control = random_directions(directions)
    torch.testing.assert_close(
        measured.control.mean.float(), control.steps() @ generator.map.weight.T @ WEIGHT, atol=1e-5, rtol=1e-4
    )
    logits = generator.render(generator.sample(20)).flatten(1) @ WEIGHT
    assert measured.logit_std == pytest.approx(float(logits.std()), rel=1e-4)


def test_an_even_critic_cancels_in_the_mean_alone() -> None:
    generator = Linear()
    generator.map.bias.zero_()
    even = Critic(lambda x: (x.flatten(1) @ WEIGHT.to(x)) ** 2)
    codes = generator.sample(30)
    found = effects(some(generator), generator, even, torch.cat([codes, -codes])).found
    assert float(found.mean.abs().max()) < 1e-5
    assert float(found.absolute.min()) > 1e-3
    step = some(generator).steps() @ generator.map.weight.T @ WEIGHT
    slopes = 2 * (torch.cat([codes, -codes]) @ generator.map.weight.T @ WEIGHT)[:, None] * step
    torch.testing.assert_close(found.error.float(), slopes.std(0) / 60**0.5, atol=1e-6, rtol=1e-3)
    torch.testing.assert_close(found.absolute.float(), slopes.abs().mean(0), atol=1e-6, rtol=1e-3)


def test_chance_is_what_random_directions_do() -> None:
    generator = Linear()
    pull = nn.functional.normalize(generator.map.weight.T @ WEIGHT, dim=0)
    # the steepest direction exceeds chance; one that the critic cannot see does not, nor one that it hardly sees
    blind = torch.linalg.svd(pull[None])[2][1]
    weak = nn.functional.normalize(blind + 0.1 * pull, dim=0)
    directions = Directions(torch.stack([pull, blind, weak]), torch.ones(3))
    measured = effects(directions, generator, critic(), generator.sample(10))
    assert float(measured.found.mean[2].abs() / measured.found.error[2]) > 100
    assert measured.beyond_chance.tolist() == [True, False, False]
    assert [row["beyond_chance"] for row in measured.table()] == [True, False, False]


def test_what_the_codes_disagree_on_is_not_beyond_chance() -> None:
    generator = Linear()
    generator.map.bias.zero_()
    even = Critic(lambda x: (x.flatten(1) @ WEIGHT.to(x)) ** 2)
    codes = generator.sample(30)
    pull = nn.functional.normalize(generator.map.weight.T @ WEIGHT, dim=0)
    along = codes @ pull
    disagreeing = torch.cat([codes[along > 0], -codes[along > 0][1:]])
    nothing = Directions(torch.linalg.svd(pull[None])[2][1:2], torch.ones(1))
    measured = effects(Directions(pull[None], torch.ones(1)), generator, even, disagreeing, control=nothing)
    assert measured.chance < 1e-6 < float(measured.found.mean.abs())  # so that the standard error alone decides
    assert measured.beyond_chance.tolist() == [False]
    assert effects(
        Directions(pull[None], torch.ones(1)), generator, even, codes[along > 0], control=nothing
    ).beyond_chance.tolist() == [True]


def test_random_directions_have_the_same_step_and_cover_the_sphere() -> None:
    like = Directions(torch.eye(D)[:2], torch.tensor([0.4, 0.6]))
    control = random_directions(like, 4000)
    torch.testing.assert_close(control.steps().norm(dim=1), torch.full((4000,), 0.5))
    torch.testing.assert_close(control.vectors.T @ control.vectors / 4000, torch.eye(D) / D, atol=0.02, rtol=0)
    assert torch.equal(random_directions(like, 3).vectors, control.vectors[:3])
    assert not torch.equal(random_directions(like, 3, seed=1).vectors, control.vectors[:3])


def test_numbers_for_a_file_carry_unit_and_what_lies_outside_the_prior() -> None:
    import json

    generator = Linear("uniform")
    said = effects(some(generator), generator, critic("score"), generator.sample(40), step=4.0).to_json()
    assert said["unit"] == "score per standard deviation"
    assert 0 < said["outside_prior"] < 1
    assert len(said["directions"]) == 3
    assert json.loads(json.dumps(said, allow_nan=False)) == said


def test_one_code_has_no_standard_error() -> None:
    generator = Linear()
    with pytest.raises(ValueError, match="at least 2 codes, got 1"):
        effects(some(generator), generator, critic(), generator.sample(1))
    with pytest.raises(ValueError, match="step must be positive"):
        effects(some(generator), generator, critic(), generator.sample(2), step=0.0)
