"""Faults of the game: losses, signs, gradients and optimisers."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from benchmarks._recipe.fault import Compared, fault, not_run
from benchmarks._recipe.networks import CLASSES, images
from ganexplain import tensors
from ganexplain.models.families.mlp import MLP
from ganexplain.training import losses

LOGIT = -8.0  # of a fake that the discriminator rejects with confidence
SQUARES = losses.get("least_squares")

not_run(14, "a method of the tape that does not exist", "a name of TensorFlow's interface: nothing to run here")
not_run(15, "gradients applied without their weights", "a name of TensorFlow's interface: nothing to run here")


def slope(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """The gradient of a scalar function."""
    x = at.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(function(x), x)
    return gradient


def gradient_norm(loss: Tensor, network: nn.Module) -> float:
    """Length of the loss's gradient by the network's weights; 0 where the loss does not depend on them."""
    found = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True, retain_graph=True)
    return float(torch.stack([g.norm() for g in found if g is not None] or [torch.zeros(())]).norm())


@fault(1, "least squares behind a sigmoid", "slope of the generator's loss where a fake is rejected with confidence")
def sigmoid_under_least_squares() -> Compared:
    at = torch.tensor([LOGIT])

    def behind(x: Tensor) -> Tensor:
        return SQUARES.generator(x, torch.sigmoid(x))

    linear = float(slope(lambda x: SQUARES.generator(x, x), at).abs())
    entropy = float(slope(lambda x: losses.bce_generator(x, x), at).abs())
    return Compared(float(slope(behind, at).abs()), linear, {"cross-entropy": entropy, "logit": LOGIT})


@fault(2, "the generator minimises its success", "change of the fakes' logit by one step of the generator")
def wrong_sign() -> Compared:
    discriminator = MLP.discriminator().eval().requires_grad_(False)
    codes = tensors.normal(0, "codes", shape=(64, 100))

    def change(loss: Callable[[Tensor], Tensor]) -> float:
        torch.manual_seed(0)
        generator = MLP.generator()
        optimiser = torch.optim.SGD(generator.parameters(), lr=1e-3)
        before = discriminator(generator(codes))
        torch.autograd.backward(loss(before))
        optimiser.step()
        return float((discriminator(generator(codes)) - before).detach().mean())

    return Compared(change(lambda logit: torch.sigmoid(logit).mean()), change(lambda logit: -logsigmoid(logit).mean()))


def dirac(update: Callable[[Tensor], Tensor], gamma: float, steps: int = 1000) -> float:
    """Distance from the equilibrium after a game of one number each (Mescheder et al. 2018), from a distance of 1.

    The only real is 0, the generator's only fake is a, the critic is b * x; both play cross-entropy.

    Args:
        update: the pair of gradients (2,) to the step that both take.
        gamma: weight of R1, here gamma / 2 * b^2.
        steps: how long.
    """
    player = torch.tensor([1.0, 0.0], dtype=torch.float64)
    for _ in range(steps):
        a, b = player
        up = torch.sigmoid(a * b)
        gradient = torch.stack([-b * torch.sigmoid(-a * b), a * up + gamma * b])
        player = player - update(gradient)
    return float(player.norm())


def clipped(gradient: Tensor, rate: float = 0.1, limit: float = 0.1) -> Tensor:
    """A step of gradient descent, the gradient no longer than a limit."""
    return rate * gradient * min(1.0, limit / float(gradient.norm()))


@fault(5, "descent and clipping as stabilisers", "distance from the equilibrium of a game of one weight each")
def descent_and_clipping() -> Compared:
    plain = dirac(lambda g: 0.1 * g, 0.0)
    return Compared(dirac(clipped, 0.0), dirac(lambda g: 0.1 * g, 1.0), {"descent without clipping": plain})


@fault(13, "losses are made outside the tape", "weight tensors that get a gradient")
def outside_the_tape() -> Compared:
    def reached(recorded: bool) -> int:
        networks = (MLP.generator(), MLP.discriminator())
        codes = networks[0].sample(8, seed=0)
        with torch.set_grad_enabled(recorded):
            scores = networks[1](networks[0](codes))
            loss = SQUARES.generator(scores, scores)
        if loss.requires_grad:
            torch.autograd.backward(loss)
        return sum(p.grad is not None for network in networks for p in network.parameters())

    return Compared(reached(False), reached(True))


@fault(16, "fakes are not cut from the generator", "gradient that the discriminator's loss leaves on the generator")
def not_detached() -> Compared:
    generator, discriminator = MLP.generator(), MLP.discriminator().eval()
    fake, real = generator(generator.sample(16, seed=0)), images()
    norms = [
        gradient_norm(SQUARES.discriminator(discriminator(real), discriminator(x)), generator)
        for x in (fake, fake.detach())
    ]
    return Compared(norms[0], norms[1])


@fault(17, "no one half before the squares", "gradient's length relative to the definition's")
def no_half() -> Compared:
    batch, noise = images(), tensors.normal(0, "noise", shape=(16, 1, 28, 28))
    first = MLP.discriminator().eval()

    def weights(scale: float) -> tuple[float, Tensor]:
        network = copy.deepcopy(first)
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
        length = 0.0
        for i in range(10):
            loss = scale * SQUARES.discriminator(network(batch), network(noise))
            length = gradient_norm(loss, network) if i == 0 else length
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
        return length, torch.cat([p.detach().flatten() for p in network.parameters()])

    (twice, a), (once, b) = weights(2.0), weights(1.0)
    start = torch.cat([p.detach().flatten() for p in first.parameters()])
    return Compared(twice / once, 1.0, {"Adam's ten steps differ by": float((a - b).norm() / (b - start).norm())})


@fault(
    22,
    "no settings for weights and optimiser",
    "distance from that equilibrium, penalised, with default momentum and less",
)
def momentum() -> Compared:
    return Compared(dirac(adam(0.9), 0.3), dirac(adam(0.5), 0.3), {"no momentum": dirac(adam(0.0), 0.3)})


def adam(beta: float, rate: float = 0.1) -> Callable[[Tensor], Tensor]:
    """A step of descent with exponentially averaged gradients: Adam's momentum without its scaling by size."""
    average = torch.zeros(2, dtype=torch.float64)

    def update(gradient: Tensor) -> Tensor:
        nonlocal average
        average = beta * average + (1 - beta) * gradient
        return rate * average

    return update


@fault(24, "one function that both players minimise", "share of the fakes' outputs that both players push the same way")
def same_function() -> Compared:
    def alike(scores: Tensor, normalise: Callable[[Tensor], Tensor]) -> tuple[float, float]:
        to_fake, to_real = (  # what the discriminator, then the generator asks of fakes
            slope(lambda x, to=target: (normalise(x) - to).square().mean(), scores) for target in (0.0, 1.0)
        )
        gap = (normalise(scores) - 1).square().mean() - normalise(scores).square().mean()
        return float((to_fake.sign() == to_real.sign()).double().mean()), float(gap)

    torch.manual_seed(0)
    published, gap = alike(torch.randn(64, CLASSES, dtype=torch.float64), lambda x: torch.softmax(x, 1))
    repaired, _ = alike(torch.rand(64, 1, dtype=torch.float64), lambda x: x)  # between the two targets
    return Compared(published, repaired, {"generator's loss less the discriminator's on fakes": gap})
