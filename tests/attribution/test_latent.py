"""The domain of codes: closed forms of linear and quadratic games, great circles, and the laws over all methods."""

from __future__ import annotations

import math
import re
import warnings
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganexplain import (
    Critic,
    ExpectedGradients,
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    Latent,
    Occlusion,
    PermutationShapley,
    Saliency,
)
from ganexplain.attribution import DOMAINS, METHODS
from ganexplain.attribution.baselines import Fixed
from ganexplain.attribution.domains._codes import Basis, arc
from ganexplain.attribution.domains.latent import rest_share
from ganexplain.models.generator import Generator
from ganexplain.tensors import normal
from tests._critics import Spy

D, SIDE = 6, 4
NAMES = METHODS.names()
COMPLETE = [name for name in NAMES if METHODS.get(name).complete]
CAUTIONS = [re.escape(c).replace(":", ".") for c in (METHODS.get(m).caution for m in NAMES) if c]
pytestmark = [
    *[pytest.mark.filterwarnings(f"ignore:{caution}") for caution in CAUTIONS],
    pytest.mark.filterwarnings("ignore:the critic is rough|the baseline"),
]


class Maker(Generator):
    """Images (N, 1, 4, 4) linear in the code, or bent by a tanh."""

    resolution, channels, z_dim = SIDE, 1, D

    def __init__(self, *, bent: bool = False, prior: str = "normal", classes: int = 0) -> None:
        super().__init__()
        self.prior, self.num_classes = prior, classes
        self.A = nn.Parameter(0.12 * normal(0, "maker", shape=(SIDE * SIDE, D)).double(), requires_grad=False)
        self.bend = nn.Tanh() if bent else nn.Identity()
        self.largest = 0
        self.eval()

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images of codes."""
        self.largest = max(self.largest, len(z))
        shift = 0 if labels is None else 0.1 * labels[:, None]
        made: Tensor = self.bend(z @ self.A.T + shift).view(-1, 1, SIDE, SIDE)
        return made


class Weighing(nn.Module):
    """A weighted sum of the pixels."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.double())

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 4, 4) to (N,)."""
        return x.flatten(1) @ self.weight


class Layers(nn.Module):
    """A small convolutional critic."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.net = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(96, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 4, 4) to (N, 1)."""
        made: Tensor = self.net(2 * x)
        return made


def directions(count: int = 3, *, oblique: bool = False, seed: int = 1) -> Any:
    """Unit vectors with names, at right angles or not."""
    drawn = normal(seed, "directions", shape=(count, D)).double()
    made = nn.functional.normalize(drawn, dim=1) if oblique else torch.linalg.qr(drawn.T).Q.T
    return SimpleNamespace(
        vectors=made, scale=torch.ones(count), space="z", names=tuple(f"way {i}" for i in range(count))
    )


def codes(n: int = 3, seed: int = 5) -> Tensor:
    return normal(seed, "codes", shape=(n, D)).double()


def net(module: nn.Module) -> Critic:
    return Critic(module).double()


def run(name: str, critic: Critic, domain: Latent, **given: Any) -> Any:
    """The method with a small budget, or a skip where it says that it does not work in codes."""
    kind = METHODS.get(name)
    made = kind(critic, domain=domain, **given)
    small = {"max_evaluations": 60, "n_samples": 4}
    return made.variant(**{word: value for word, value in small.items() if hasattr(made, word)})


def attributed(method: Any, inputs: Tensor, **given: Any) -> Any:
    try:
        return method.attribute(inputs, **given)
    except ValueError as error:
        if "the domain 'latent'" in str(error):
            pytest.skip(str(error))
        raise


# closed forms


@pytest.mark.parametrize("oblique", [False, True])
def test_coordinates_are_the_amounts_of_which_the_code_is_the_sum(oblique: bool) -> None:
    found = directions(oblique=oblique)
    basis = Basis.of(found.vectors, found.names)
    z = codes()
    a = basis.coordinates(z)
    assert torch.allclose(basis.codes(a), z, atol=1e-12)
    V = found.vectors
    assert torch.allclose(a[:, :3] @ (V @ V.T), z @ V.T, atol=1e-12)
    rest = basis.codes(torch.cat([torch.zeros(3, 3).double(), a[:, 3:]], 1))
    assert float((rest @ V.T).abs().max()) < 1e-12  # the rest has no part along any direction
    assert basis.names == ("way 0", "way 1", "way 2", "the rest")
    assert basis.players.tolist() == [[0, 1, 2, 3, 3, 3]]


@pytest.mark.parametrize("oblique", [False, True])
@pytest.mark.parametrize("kind", [IntegratedGradients, ExpectedGradients, InputXGradient, KernelShap, Occlusion])
def test_a_linear_critic_of_a_linear_generator(kind: type, oblique: bool) -> None:
    """The value of direction k is slope_k times the change of its amount, from the mean over the origins."""
    generator, weight = Maker(prior="uniform"), normal(2, "weight", shape=(16,))
    found, z, many = directions(oblique=oblique), codes(), codes(4, seed=8)[None]
    critic = net(Weighing(weight))
    basis = Basis.of(found.vectors, found.names)
    slope = (generator.A.T @ weight.double()) @ basis.matrix.T
    change = basis.coordinates(z) - basis.coordinates(many[0]).mean(0)
    exact = torch.stack([(slope * change)[:, :1], (slope * change)[:, 1:2], (slope * change)[:, 2:3]], 1)[..., 0]
    rest = (slope * change)[:, 3:].sum(1)
    got = kind(critic, domain=Latent(generator, found), baseline=many).attribute(z, side="real").totals()
    assert torch.allclose(got[:, :3], exact, atol=1e-9)
    assert torch.allclose(got[:, 3], rest, atol=1e-9)


@pytest.mark.parametrize("kind", [IntegratedGradients, KernelShap, PermutationShapley, ExpectedGradients, Saliency])
def test_a_critic_that_reads_one_factor_blames_that_direction_alone(kind: type) -> None:
    found = directions()
    # pixel k shows factor k, and the critic looks at the second
    generator = Maker()
    with torch.no_grad():
        generator.A.zero_()
        generator.A[:3] = 0.1 * found.vectors
    looks = torch.zeros(16)
    looks[1] = 1.0
    got = kind(net(Weighing(looks)), domain=Latent(generator, found)).attribute(codes(), side="fake").totals()
    others = got[:, [0, 2, 3]].abs().amax(1)
    assert bool((others < 1e-6 * got[:, 1].abs()).all())


def test_a_quadratic_critic_in_closed_form() -> None:
    """Of (s . a)^2 on the straight way, integrated gradients give s_k d_k (s . (a + b)) with d = a - b."""
    generator, found = Maker(prior="uniform"), directions()
    weight = normal(2, "weight", shape=(16,)).double()

    class Square(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x.flatten(1) @ weight).square()

    z, origin = codes(), codes(1, seed=9)
    basis = Basis.of(found.vectors, found.names)
    s = (generator.A.T @ weight) @ basis.matrix.T
    a, b = basis.coordinates(z), basis.coordinates(origin)
    exact = s * (a - b) * ((a + b) @ s)[:, None]
    run_ = IntegratedGradients(net(Square()), domain=Latent(generator, found), baseline=origin)
    got = run_.attribute(z, side="real")
    assert torch.allclose(got.values, exact, atol=1e-9)
    # the Shapley value of a square: its own change with the mean of what the others have
    exact = torch.stack([exact[:, 0], exact[:, 1], exact[:, 2], exact[:, 3:].sum(1)], 1)
    shapley = KernelShap(net(Square()), domain=Latent(generator, found), baseline=origin).attribute(z, side="real")
    assert torch.allclose(shapley.totals(), exact, atol=1e-9)


# ways


def test_great_circles_have_the_right_length_and_velocity() -> None:
    start, end, t = (
        codes(40, 1),
        1.3 * codes(40, 2),
        torch.rand(40, generator=torch.Generator().manual_seed(0)).double(),
    )
    point, velocity = arc(start, end, t)
    length = start.norm(dim=1) + t * (end.norm(dim=1) - start.norm(dim=1))
    assert torch.allclose(point.norm(dim=1), length, atol=1e-12)
    step = 1e-6
    difference = (arc(start, end, t + step)[0] - arc(start, end, t - step)[0]) / (2 * step)
    assert torch.allclose(velocity, difference, atol=1e-7)
    assert torch.allclose(arc(start, end, torch.zeros(40).double())[0], start, atol=1e-12)
    assert torch.allclose(arc(start, end, torch.ones(40).double())[0], end, atol=1e-12)
    unit = nn.functional.normalize
    half = arc(start, end, torch.full((40,), 0.5).double())[0]
    assert torch.allclose(unit(half), unit(unit(start) + unit(end)), atol=1e-12)


@pytest.mark.parametrize(
    "case", ["same", "nearly the same", "longer", "opposite", "nearly opposite", "zero", "both zero"]
)
def test_ways_between_special_codes(case: str) -> None:
    z = codes(1)
    end = {"same": z, "nearly the same": z + 1e-9, "longer": 2 * z, "opposite": -z, "nearly opposite": -z + 1e-5}
    start, stop = (0 * z, z * (case == "zero")) if "zero" in case else (z, end[case])
    t = torch.linspace(0, 1, 9).double()
    point, velocity = arc(start.expand(9, -1), stop.expand(9, -1), t)
    assert bool(torch.isfinite(point).all() and torch.isfinite(velocity).all())
    assert torch.allclose(point[0], start[0], atol=1e-9)
    assert torch.allclose(point[-1], stop[0], atol=1e-9)
    length = (1 - t) * start.norm() + t * stop.norm()
    assert torch.allclose(point.norm(dim=1), length, atol=1e-9)
    if "zero" not in case:
        assert float(((point * velocity).sum(1) / point.norm(dim=1) - (stop.norm() - start.norm())).abs().max()) < 1e-6


@pytest.mark.parametrize(
    ("prior", "bends"), [("normal", True), ("sphere", True), ("uniform", False), ("truncated", False)]
)
def test_the_way_fits_the_prior(prior: str, bends: bool) -> None:
    chart = Latent(Maker(prior=prior), directions()).bind(net(Layers()), codes())
    assert (chart.curve is not None) == bends
    assert chart.origins is not None
    assert chart.origins.shape == (1, 32, D)
    one = chart.members()[7]
    rows, t = torch.arange(3), torch.tensor([0.0, 0.5, 1.0]).double()
    points, _ = one.at(t, rows)
    assert torch.allclose(points[0], chart.origins[0, 7], atol=1e-9)
    assert torch.allclose(points[2], chart.point[2], atol=1e-9)


# origins, names, errors


def test_random_origins_are_none_of_the_usual_samples() -> None:
    generator = Maker()
    domain = Latent(generator, directions(), n_origins=8)
    drawn = domain.origins(generator)
    assert float(torch.cdist(drawn, generator.sample(50, seed=0)).min()) > 1e-3
    assert torch.equal(drawn, Latent(generator, directions(), n_origins=20).origins(generator)[:8])
    critic = net(Layers())
    found = Saliency(critic, domain=domain).attribute(codes())
    assert found.baseline == "8 random codes"
    assert found.names[-1] == "the rest"
    assert torch.allclose(found.origins[0].double(), generator.render(drawn[:1].double())[0])  # the first is shown
    assert found.images.shape == (3, 1, SIDE, SIDE)
    assert domain.baselines(critic, None) == 8
    assert domain.baselines(critic, codes(1)) == 1
    assert domain.baselines(critic, codes(4)[None]) == 4
    assert domain.baselines(critic, Fixed(codes(4)[None], "mine", 4)) == 4
    named = Saliency(critic, domain=domain, baseline=Fixed(codes(4)[None], "mine", 4)).attribute(codes())
    assert named.baseline == "mine"
    share = rest_share(found.totals(), found.names)
    assert torch.allclose(share, found.totals()[:, -1].abs() / found.totals().abs().sum(1))
    assert not rest_share(found.totals(), ()).any()


def test_without_directions_every_coordinate_is_a_player() -> None:
    found = IntegratedGradients(net(Layers()), domain=Latent(Maker(), n_origins=1)).attribute(codes())
    assert found.names == tuple(f"z {i}" for i in range(D))
    assert found.baseline == "a random code"

    class Long(Maker):
        z_dim = 65

    with pytest.raises(ValueError, match="65 numbers, too many to be explained one by one; give directions"):
        Latent(Long())


def test_a_class_is_drawn_and_a_critic_may_bring_the_generator() -> None:
    generator, critic, z = Maker(classes=3), net(Layers()), codes()
    one, two = (Saliency(critic, domain=Latent(generator.given(k), directions())).attribute(z) for k in (0, 2))
    assert torch.allclose(two.images - one.images, torch.full_like(one.images, 0.2), atol=1e-6)
    with pytest.raises(ValueError, match="say which: given"):
        Saliency(critic, domain=Latent(generator, directions())).attribute(z)
    with pytest.raises(ValueError, match="none is known; give it, Latent"):
        Saliency(critic, domain=Latent()).attribute(z)
    known = Saliency(critic.with_generator(Maker()), domain=DOMAINS.get("latent")()).attribute(z)
    assert torch.equal(known.images, generator.given(0).render(z))


def test_bad_input_gets_one_sentence() -> None:
    generator, critic = Maker(), net(Layers())
    domain = Latent(generator, directions())
    for inputs, said in ((torch.zeros(2, 5), r"\(N, 6\), got \(2, 5\)"), (torch.zeros(2, 6).long(), "float")):
        with pytest.raises((ValueError, TypeError), match=said):
            Saliency(critic, domain=domain).attribute(inputs)
    with pytest.raises(ValueError, match="starts from codes, and the baseline 'blur' is an image"):
        Saliency(critic, domain=domain, baseline="blur").attribute(codes())
    with pytest.raises(ValueError, match=r"or a set \(1 or N, K, 6\), got \(2, 6\)"):
        Saliency(critic, domain=domain, baseline=codes(2)).attribute(codes())
    with pytest.raises(ValueError, match="live in 'z' and not in 'w'"):
        Latent(generator, directions(), space="w")
    same = directions()
    same.vectors = torch.cat([same.vectors[:2], same.vectors[:1]])
    with pytest.raises(ValueError, match="are not independent"):
        Latent(generator, same)
    with pytest.raises(TypeError, match=r"Generator.wrap"):
        Latent(nn.Linear(2, 2))  # type: ignore[arg-type]


def test_a_generator_in_train_mode_is_left_as_it_is() -> None:
    generator = Maker()
    generator.bend = nn.BatchNorm1d(16).double()  # type: ignore[assignment]
    generator.train()
    before = generator.bend.running_mean.clone()
    Saliency(net(Layers()), domain=Latent(generator, directions())).attribute(codes(1))
    assert generator.training
    assert torch.equal(generator.bend.running_mean, before)


# laws over all methods


@pytest.mark.parametrize("name", NAMES)
def test_the_laws_hold_in_codes(name: str) -> None:
    generator, z, rng = Maker(bent=True), codes(), torch.get_rng_state()
    spy = Spy(Layers())
    domain = Latent(generator, directions(), n_origins=3)
    found = attributed(run(name, net(spy), domain, batch_size=4), z, side="fake", seed=2)
    assert found.values.shape == z.shape
    assert found.totals().shape == (3, 4)
    assert max(spy.seen.batches) <= 4
    assert generator.largest <= 4
    assert int(found.evaluations.max()) <= run(name, net(spy), domain).passes(4)
    assert torch.equal(rng, torch.get_rng_state())
    assert torch.equal(z, codes())
    again = run(name, net(Layers()), domain, batch_size=64).attribute(z, side="fake", seed=2)
    top = found.values.abs().max()
    assert float((again.values - found.values).abs().max()) <= 1e-9 * float(top)
    alone = torch.cat([run(name, net(Layers()), domain).attribute(one[None], side="fake", seed=2).values for one in z])
    assert float((alone - found.values).abs().max()) <= 1e-9 * float(top)
    if METHODS.get(name).odd:
        real = run(name, net(Layers()), domain, batch_size=64).attribute(z, side="real", seed=2)
        assert torch.equal(real.values, -again.values)


@pytest.mark.parametrize("name", NAMES)
def test_a_constant_critic_finds_nothing_in_codes(name: str) -> None:
    class Constant(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 0 * x.flatten(1).sum(1) + 1

    found = attributed(run(name, net(Constant()), Latent(Maker(), directions(), n_origins=2)), codes())
    assert float(found.values.abs().max()) < 1e-12


@pytest.mark.parametrize("name", COMPLETE)
def test_values_sum_to_the_change_along_great_circles(name: str) -> None:
    domain = Latent(Maker(bent=True), directions(), n_origins=3)
    method = METHODS.get(name)(net(Layers()), domain=domain)
    found = attributed(method, codes(), side="real")
    few = 1e-9 if METHODS.get(name).needs == "calls" else 0.05 * float(found.gross.max())
    assert float(found.gap.abs().max()) <= few


@pytest.mark.parametrize("name", ["grad_cam", "hires_cam", "layer_cam", "owen", "guided_backprop"])
def test_what_cannot_be_done_in_codes_is_said(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        method = METHODS.get(name)(net(Layers()), domain=Latent(Maker(), directions(), n_origins=2))
        if name in ("owen", "guided_backprop"):  # these have a meaning: players in a row, rectifiers of the critic
            assert math.isfinite(float(method.attribute(codes()).values.sum()))
            return
        with pytest.raises(ValueError, match="the domain 'latent'"):
            method.attribute(codes())
