"""Searches in codes: what a linear generator allows in closed form, bounds of priors, and honest words."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ganexplain
from ganexplain import Critic
from ganexplain.models import priors
from ganexplain.models._search_newton import conjugate_gradients
from ganexplain.models._search_support import Support
from ganexplain.models.generator import Generator
from ganexplain.models.search import _word, cross, invert, nearest_judged
from ganexplain.models.table import Table
from ganexplain.tensors import normal

D, SIDE = 5, 4
SMALL = {"n_restarts": 6, "steps": 60}


class Maker(Generator):
    """Images (N, 1, 4, 4) linear in the code, or bent by a tanh."""

    resolution, channels, z_dim = SIDE, 1, D

    def __init__(self, *, bent: bool = False, prior: str = "normal", classes: int = 0) -> None:
        super().__init__()
        self.prior, self.num_classes = prior, classes
        size = 0.4 if bent else 0.1
        self.A = nn.Parameter(size * normal(0, "maker", shape=(SIDE * SIDE, D)))
        self.bend = nn.Tanh() if bent else nn.Identity()
        self.largest = 0
        self.eval()

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images of codes."""
        self.largest = max(self.largest, len(z))
        shift = 0 if labels is None else 0.3 * labels[:, None]
        made: Tensor = self.bend(z @ self.A.T + shift).view(-1, 1, SIDE, SIDE)
        return made


class TwoSpaces(Maker):
    """z, and w = 3 z + 1."""

    spaces = ("z", "w")

    def encode(self, codes: Tensor, to: str, *, source: str = "z", **more: object) -> Tensor:
        """Codes of ``to``."""
        return 3 * codes + 1 if (source, to) == ("z", "w") else codes

    def synthesize(self, codes: Tensor, space: str = "z", *, labels: Tensor | None = None) -> Tensor:
        """Images."""
        made: Tensor = self((codes - 1) / 3 if space == "w" else codes)
        return made


class Weighing(nn.Module):
    """A weighted sum of the pixels, shifted."""

    def __init__(self, shift: float = 0.0) -> None:
        super().__init__()
        self.weight, self.shift = nn.Parameter(normal(2, "weight", shape=(16,))), shift

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 4, 4) to (N,)."""
        return x.flatten(1) @ self.weight + self.shift


# inversion


@pytest.mark.parametrize("bent", [False, True])
def test_codes_of_own_samples_are_found_again(bent: bool) -> None:
    generator = Maker(bent=bent)
    z = generator.sample(4, seed=9)
    found = invert(generator, generator.render(z), **SMALL)
    assert float((found.codes - z).abs().max()) < 1e-2
    assert float(found.error.max()) < 1e-3
    assert found.quality == ("good",) * 4
    assert float(found.agreement.min()) == 1.0  # all restarts came to the same code
    assert float(found.psnr.min()) > 60
    assert torch.allclose(found.images, generator.render(found.codes))
    difference = (found.images - generator.render(z)).flatten(1).square().mean(1).sqrt().double()
    assert torch.allclose(found.error, difference, atol=1e-5)


def test_what_the_generator_cannot_make_is_called_poor() -> None:
    generator = Maker(bent=True)
    noise = normal(4, "noise", shape=(3, 1, SIDE, SIDE)).clamp(-1, 1)
    found = invert(generator, noise, **SMALL)
    assert found.quality == ("poor",) * 3
    assert float(found.unexplained.min()) > 0.25
    assert "3 poor" in repr(found)


@pytest.mark.parametrize(
    ("left", "gain", "word"),
    [(0.04, 0.3, "good"), (0.1, 0.3, "fair"), (0.2, 0.3, "poor"), (0.04, 0.9, "poor"), (0.005, 0.99, "good")],
)
def test_words_for_what_is_left_and_what_was_gained(left: float, gain: float, word: str) -> None:
    assert _word(left, gain) == word


def test_the_error_is_what_least_squares_leaves() -> None:
    """Of a linear generator the nearest image is a projection, where that code lies within the prior."""
    generator = Maker()
    inside = generator.render(generator.sample(2, seed=3))
    off = 0.05 * normal(5, "off", shape=(2, 16))
    A = generator.A.detach().double()
    off = off - (off.double() @ A @ torch.linalg.pinv(A)).float()  # at right angles to all that the generator makes
    found = invert(generator, inside + off.view(2, 1, SIDE, SIDE), **SMALL)
    assert torch.allclose(found.error, off.double().square().mean(1).sqrt(), rtol=1e-3)


@pytest.mark.parametrize("prior", priors.PRIORS)
def test_codes_stay_where_the_prior_has_them(prior: str) -> None:
    generator = Maker(prior=prior)
    bright = torch.full((2, 1, SIDE, SIDE), 1.0)  # wants codes far outside
    code = invert(generator, bright, **SMALL).codes
    if prior == "sphere":
        assert torch.allclose(code.norm(dim=1), torch.full((2,), D**0.5), atol=1e-4)
    elif prior == "normal":
        typical = generator.sample(2048, seed=1).norm(dim=1)
        assert float(code.norm(dim=1).max()) <= float(typical.max())
    else:
        assert float(code.abs().max()) <= priors.EDGES[prior] + 1e-6


def test_another_space_and_a_class() -> None:
    generator = TwoSpaces()
    z = generator.sample(2, seed=9)
    found = invert(generator, generator.render(z), space="w", **SMALL)
    assert found.space == "w"
    assert torch.allclose(found.codes, 3 * z + 1, atol=0.05)
    classes = Maker(classes=3)
    two = classes.given(2)
    assert float(invert(two, two.render(z), **SMALL).error.max()) < 1e-3
    with pytest.raises(ValueError, match="say which: given"):
        invert(classes, two.render(z), **SMALL)


def test_rows_of_a_table_are_inverted_in_their_own_units() -> None:
    form = Table(("age", "height"), mean=(40.0, 170.0), std=(15.0, 10.0))
    net = nn.Linear(2, 2)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[1.0, 0.3], [0.0, 1.0]]))
    generator = Generator.wrap(net, z_dim=2, form=form)
    z = generator.sample(3, seed=2)
    found = invert(generator, generator.render(z), **SMALL)
    assert float((found.codes - z).abs().max()) < 1e-2
    assert found.quality == ("good",) * 3


def test_neither_batch_size_nor_neighbours_matter_and_the_callers_world_stays() -> None:
    generator = Maker(bent=True)
    x, rng = generator.render(generator.sample(3, seed=9)) * 0.9, torch.get_rng_state()
    generator.largest = 0
    found = {size: invert(generator, x, batch_size=size, **SMALL) for size in (4, 64)}
    small = invert(generator, x[:1], batch_size=64, **SMALL)
    assert torch.allclose(found[4].codes, found[64].codes, atol=1e-3)
    assert torch.allclose(small.codes, found[64].codes[:1], atol=1e-3)
    assert torch.equal(torch.get_rng_state(), rng)
    assert generator.A.grad is None
    generator.largest = 0
    invert(generator, x, batch_size=4, **SMALL)
    assert generator.largest <= 4
    again = invert(generator, x, batch_size=4, **SMALL)
    assert torch.equal(again.codes, found[4].codes)


def test_bad_input_gets_one_sentence() -> None:
    generator = Maker()
    with pytest.raises(ValueError, match=r"the images must have the shape \(1, 4, 4\) that the generator makes"):
        invert(generator, torch.zeros(1, 1, 8, 8))
    with pytest.raises(TypeError, match="no argument 'restarts'; it takes n_restarts, steps, seed, batch_size"):
        invert(generator, torch.zeros(1, 1, 4, 4), restarts=3)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="steps must be positive"):
        invert(generator, torch.zeros(1, 1, 4, 4), steps=0)
    with pytest.raises(ValueError, match=r"codes in z must have the shape \(N, 5\), got \(2, 4\)"):
        cross(generator, Critic(Weighing()), torch.zeros(2, 4), side="real")
    with pytest.raises(ValueError, match="unknown side"):
        cross(generator, Critic(Weighing()), torch.zeros(2, 5), side="false")


def test_conjugate_gradients_solve() -> None:
    A = normal(1, "system", shape=(3, 6, 6)).double()
    A = A @ A.transpose(1, 2) + torch.eye(6)
    b = normal(2, "right", shape=(3, 6)).double()
    x = conjugate_gradients(lambda v: torch.einsum("mij,mj->mi", A, v), b, 12)
    assert torch.allclose(x, torch.linalg.solve(A, b), atol=1e-8)


# the other side of a verdict


@pytest.mark.parametrize("space", ["z", "w"])
@pytest.mark.parametrize("side", ["real", "fake"])
def test_the_crossing_of_a_linear_critic_in_closed_form(side: str, space: str) -> None:
    generator, shift = TwoSpaces(), -0.4 if side == "real" else 0.4
    critic = Critic(Weighing(shift))
    z = generator.sample(4, seed=6)
    start = generator.encode(z, space)
    found = cross(generator, critic, start, side=side, space=space)
    slope = (generator.A.T @ critic.network.weight).detach().double().norm()
    logit = critic.logits(generator.render(z)).double()
    already = (logit >= 0) if side == "real" else (logit < 0)
    unit = 1.0 if space == "z" else 3.0
    measured = float(Support(generator, space, seed=0, batch_size=64).deviation)
    exact = torch.where(already, 0.0, logit.abs() / slope) * unit / measured
    assert bool(found.flipped.all())
    assert torch.allclose(found.distance, exact, rtol=3e-4, atol=3e-4)
    assert float(already.double().mean()) < 1  # something had to be turned
    assert torch.allclose(found.logits, critic.logits(found.images))


class Ring(nn.Module):
    """Real within a distance of the middle of the pixels, so that there is a nearest point of a curved boundary."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 4, 4) to (N,)."""
        return 0.3 - x.flatten(1).square().sum(1)


def test_the_crossing_of_a_curved_boundary() -> None:
    """With orthonormal columns the boundary is a sphere in codes, and the nearest point lies towards its middle."""
    generator = Maker()
    with torch.no_grad():
        generator.A.copy_(0.25 * torch.linalg.qr(generator.A).Q)
    z = generator.sample(4, seed=6)
    found = cross(generator, Critic(Ring()), z, side="real")
    exact = (z.double().norm(dim=1) - 0.3**0.5 / 0.25).clamp(min=0)
    assert bool(found.flipped.all())
    assert torch.allclose(found.distance, exact, rtol=0.02, atol=2e-3)
    assert float(exact.max()) > 0.2


def test_a_verdict_that_cannot_turn_is_not_called_turned() -> None:
    generator = Maker(bent=True)
    critic = Critic(Weighing(-1000.0))
    found = cross(generator, critic, generator.sample(2, seed=6), side="real", n_restarts=2, steps=4)
    assert not found.flipped.any()
    image = generator.render(generator.sample(1))
    near = nearest_judged(generator, critic, image, n_restarts=2, steps=8)
    assert not near.flipped.any()


def test_the_nearest_sample_of_a_side_is_a_projection() -> None:
    """Of a linear generator and critic: the image moved along the critic's weight as the generator can."""
    generator, critic = Maker(), Critic(Weighing(-0.3))
    x = generator.render(generator.sample(3, seed=6))
    A, weight = generator.A.detach().double(), critic.network.weight.detach().double()
    onto = A @ torch.linalg.pinv(A) @ weight  # of the weight, what the generator can follow
    missing = (-critic.logits(x).double()).clamp(min=0)
    exact = missing / onto.norm() / 16**0.5
    found = nearest_judged(generator, critic, x, side="real")
    assert bool(found.flipped.all())
    assert found.unit == "rms"
    assert torch.allclose(found.distance, exact, rtol=0.05, atol=5e-3)
    assert float(exact.max()) > 0.02


def test_the_name_is_public() -> None:
    assert ganexplain.invert is invert
