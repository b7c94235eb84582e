"""The training loop: an iterator of steps. Logging, saving and evaluating are what the caller does with them."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganexplain import tensors
from ganexplain.models.gan import GAN
from ganexplain.training import ema, losses
from ganexplain.training.config import Config
from ganexplain.training.penalties import squared_slope
from ganexplain.training.sampler import Sampler

PATIENCE = 10  # non-finite steps in a row before the run is given up


class DivergedError(ValueError):
    """Training gave values that are not finite, again and again."""


@dataclass(frozen=True)
class Step:
    """What one step did.

    Attributes:
        step: its number, from 1.
        loss_d: the discriminator's adversarial loss, without penalties.
        loss_g: the generator's loss.
        r1: mean squared gradient norm on reals, before gamma / 2; None where it is not computed.
        r2: the same on fakes.
        accuracy: share of pairs in which the real scored above the fake.
        seen: real images that the discriminator has seen.
        skipped: steps skipped so far because something was not finite.
        lr: learning rate of this step.
        seconds: since the start of the run.
    """

    step: int
    loss_d: float
    loss_g: float
    r1: float | None
    r2: float | None
    accuracy: float
    seen: int
    skipped: int
    lr: float
    seconds: float

    @property
    def finite(self) -> bool:
        """Whether the step was taken."""
        return math.isfinite(self.loss_d) and math.isfinite(self.loss_g)


def train(gan: GAN, images: Tensor, config: Config, *, device: str | torch.device = "cpu") -> Iterator[Step]:
    """Train ``gan`` in place, one step each time the iterator is advanced.

    ``gan.generator`` is the moving average all along and may be sampled or saved between steps; that changes
    nothing, since noise and order are keyed by (seed, step).

    Args:
        gan: as `GAN.build` makes it; its networks are moved to ``device`` and changed.
        images: (N, C, H, W) uint8 training images of the generator's size.
        config: the run.
        device: where to compute, in float32.

    Yields:
        A `Step` for each of ``config.run.steps`` steps.

    Raises:
        ValueError: images that do not fit the networks.
        DivergedError: ten steps in a row were not finite.
    """
    _check_images(gan, images)
    return _Trainer(gan, images, config, torch.device(device)).run()


class _Trainer:
    """The state of a run: the raw generator, the two optimisers and a count of skipped steps."""

    def __init__(self, gan: GAN, images: Tensor, config: Config, device: torch.device) -> None:
        self.gan, self.config, self.device = gan, config, device
        self.images = images.to(device)
        self.loss = losses.get(config.loss.name)
        gan.kinds = {**gan.kinds, "discriminator": self.loss.kind}
        gan.generator.to(device)
        self.average = gan.generator
        self.g = copy.deepcopy(gan.generator).train().requires_grad_(True)
        self.average.eval().requires_grad_(False)
        self.d = gan.discriminator.to(device).train().requires_grad_(True)
        for network in (self.g, self.d):
            laid_out(network, torch.channels_last)  # a fifth faster on a CPU at 28x28
        optim = config.optim
        self.opt_g = torch.optim.Adam(self.g.parameters(), lr=optim.lr, betas=optim.betas)
        self.opt_d = torch.optim.Adam(self.d.parameters(), lr=optim.lr, betas=optim.betas)
        self.sampler = Sampler(len(images), config.run.batch, config.run.seed)
        self.skipped = self.in_a_row = 0

    def run(self) -> Iterator[Step]:
        start = time.perf_counter()
        try:
            for number in range(1, self.config.run.steps + 1):
                # dropout draws from torch's global stream: keyed by the step, it leaves the caller's alone
                with tensors.isolated(self.config.run.seed, "dropout", number):
                    taken = self.step(number, start)
                yield taken
        finally:
            laid_out(self.d, torch.contiguous_format).eval().requires_grad_(False)

    def step(self, number: int, start: float) -> Step:
        run = self.config.run
        lr = learning_rate(self.config, number)
        for optimiser in (self.opt_g, self.opt_d):
            optimiser.param_groups[0]["lr"] = lr
        loss_d, slopes, accuracy = self.update_discriminator(number)
        loss_g = self.update_generator(number) if math.isfinite(loss_d) else math.nan
        seen = number * run.batch
        if math.isfinite(loss_g):
            ema.update(self.average, self.g, ema.decay(seen, run.batch, run.ema))
            self.in_a_row = 0
        else:
            self.skip(number)
        r1, r2 = slopes.get("r1"), slopes.get("r2")
        return Step(number, loss_d, loss_g, r1, r2, accuracy, seen, self.skipped, lr, time.perf_counter() - start)

    def update_discriminator(self, number: int) -> tuple[float, dict[str, float], float]:
        """Loss (NaN where the step was skipped), penalties and pairwise accuracy."""
        config = self.config.loss
        with torch.no_grad():
            fake = self.g(self.noise("d", number))
        logits, slopes, penalty = [], {}, torch.zeros((), device=self.device)
        for name, batch in (("r1", self.reals(2 * number - 2)), ("r2", fake)):
            if name in config.penalties and config.gamma:
                logit, squared = squared_slope(self.d, batch)
                penalty = penalty + 0.5 * config.gamma * squared.mean()
                slopes[name] = float(squared.detach().mean())
            else:
                logit = self.d(batch)
            logits.append(logit.flatten())
        loss = self.loss.discriminator(*logits)
        self.opt_d.zero_grad(set_to_none=True)
        torch.autograd.backward(loss + penalty)
        taken = _stepped(self.opt_d, self.d)
        accuracy = float((logits[0].detach() > logits[1].detach()).float().mean())
        return float(loss.detach()) if taken else math.nan, slopes if taken else {}, accuracy if taken else math.nan

    def update_generator(self, number: int) -> float:
        """Loss, or NaN where the step was skipped; the discriminator is frozen meanwhile."""
        self.d.requires_grad_(False)
        try:
            with torch.no_grad():
                real = self.d(self.reals(2 * number - 1)).flatten() if self.loss.pairs else None
            fake = self.d(self.g(self.noise("g", number))).flatten()
            loss = self.loss.generator(fake if real is None else real, fake)
            self.opt_g.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
        finally:
            self.d.requires_grad_(True)
        return float(loss.detach()) if _stepped(self.opt_g, self.g) else math.nan

    def noise(self, player: str, number: int) -> Tensor:
        run = self.config.run
        return tensors.normal(run.seed, "train", player, number, shape=(run.batch, self.g.z_dim)).to(self.device)

    def reals(self, draw: int) -> Tensor:
        batch = tensors.from_uint8(self.images[self.sampler.draw(draw).to(self.device)])
        if not self.config.run.flip:
            return batch
        heads = tensors.rng(self.config.run.seed, "flip", draw).random(len(batch)) < 0.5
        mirrored = torch.from_numpy(heads).to(self.device)[:, None, None, None]
        return torch.where(mirrored, batch.flip(-1), batch)

    def skip(self, number: int) -> None:
        self.skipped, self.in_a_row = self.skipped + 1, self.in_a_row + 1
        if self.in_a_row >= PATIENCE:
            raise DivergedError(
                f"{PATIENCE} steps in a row up to step {number} gave values that are not finite, so the run was ended; "
                "lower optim.lr or raise loss.gamma"
            )


def learning_rate(config: Config, number: int) -> float:
    """Rate of step ``number`` (from 1): constant, then a cosine from ``decay_from`` of the run down to ``decay_to``."""
    optim = config.optim
    late = (number / config.run.steps - optim.decay_from) / max(1 - optim.decay_from, 1e-9)
    fall = 0.5 - 0.5 * math.cos(math.pi * min(max(late, 0.0), 1.0))
    return optim.lr * (1 + (optim.decay_to - 1) * fall)


def _stepped(optimiser: torch.optim.Optimizer, network: nn.Module) -> bool:
    """Take the step if every gradient is finite; else leave weights and optimiser as they are."""
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    norms = torch._foreach_norm(gradients)
    if not bool(torch.isfinite(torch.stack(norms)).all()):
        optimiser.zero_grad(set_to_none=True)
        return False
    optimiser.step()
    return True


def laid_out(network: nn.Module, layout: torch.memory_format) -> nn.Module:
    """The network itself, its weights in another order in memory; values stay."""
    return network.to(memory_format=layout)  # type: ignore[call-overload, no-any-return]  # torch's stubs lack it


def _check_images(gan: GAN, images: Tensor) -> None:
    g = gan.generator
    if images.dtype != torch.uint8:
        raise TypeError(f"training images must be uint8, got {images.dtype}; use ganexplain.tensors.to_uint8")
    want = (g.channels, g.resolution, g.resolution)
    if images.ndim != 4 or tuple(images.shape[1:]) != want or len(images) < 2:
        raise ValueError(
            f"training images must have the shape (N, {', '.join(map(str, want))}) with N > 1, "
            f"got {tuple(images.shape)}; see ganexplain.data.sets.open_data"
        )
