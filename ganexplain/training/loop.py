"""The training loop: an iterator of steps. Logging, saving and evaluating are what the caller does with them."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from ganexplain import tensors
from ganexplain.models.conditional import known_labels
from ganexplain.models.forms import Images
from ganexplain.models.gan import GAN
from ganexplain.training import ema, losses, schedules
from ganexplain.training.batches import Batches
from ganexplain.training.config import Config
from ganexplain.training.plain import plain
from ganexplain.training.updates import Update, Updates
from ganexplain.training.world import World

PATIENCE = 10  # non-finite steps in a row before the run is given up


class DivergedError(ValueError):
    """Training gave values that are not finite, again and again."""


@dataclass(frozen=True)
class Step:
    """What one step did; NaN where the step was skipped, None where a thing is not computed.

    Attributes:
        step: its number, from 1.
        loss_d: the discriminator's adversarial loss, without penalties; of its last update in the step.
        loss_g: the generator's loss.
        r1: mean squared gradient norm on reals, before gamma / 2.
        r2: the same on fakes.
        gp: mean squared distance of the norm from 1 between reals and fakes, before its weight.
        accuracy: share of pairs in which the real scored above the fake.
        logit_real: mean output of the discriminator on reals.
        logit_fake: the same on fakes.
        grad_d: norm of the discriminator's gradient, before it is clipped.
        grad_g: norm of the generator's.
        seen: real images that the discriminator has seen, over all processes.
        skipped: steps skipped so far because something was not finite.
        lr: the generator's learning rate at this step.
        gamma: weight of R1 and R2 at this step.
        seconds: since the run began, without the time between runs that were continued.
    """

    step: int
    loss_d: float
    loss_g: float
    r1: float | None
    r2: float | None
    gp: float | None
    accuracy: float
    logit_real: float
    logit_fake: float
    grad_d: float
    grad_g: float
    seen: int
    skipped: int
    lr: float
    gamma: float
    seconds: float

    @property
    def finite(self) -> bool:
        """Whether the step was taken."""
        return math.isfinite(self.loss_d) and math.isfinite(self.loss_g)


def train(
    gan: GAN,
    images: Tensor,
    config: Config,
    *,
    labels: Tensor | None = None,
    device: str | torch.device = "cpu",
    world: World | None = None,
) -> Training:
    """Train ``gan`` in place, one step each time the iterator is advanced.

    ``gan.generator`` is the moving average all along and may be sampled or saved between steps; that changes
    nothing, since noise and order are keyed by (seed, step).

    Args:
        gan: as `GAN.build` makes it; its networks are moved to ``device`` and changed.
        images: (N, C, H, W) uint8 training images of the generator's size, or (N, F) float32 rows in their own units.
        config: the run.
        labels: (N,) int64 classes, for a conditional GAN.
        device: where to compute, in float32.
        world: the processes that share every batch; None is this one alone.

    Returns:
        An iterator of `Step` for each of ``config.run.steps`` steps; `Training.state` and `Training.load` continue it.

    Raises:
        ValueError: images or labels that do not fit the networks.
        DivergedError: while advanced, ten steps in a row were not finite.
    """
    return Training(gan, images, config, labels=labels, device=device, world=world)


class Training(Iterator[Step]):
    """A run as an iterator of its steps; made by `train`.

    Attributes:
        gan: what is trained; ``gan.generator`` is the moving average, ``gan.discriminator`` the discriminator itself.
        number: of the last step taken; 0 before the first.
    """

    def __init__(
        self,
        gan: GAN,
        images: Tensor,
        config: Config,
        *,
        labels: Tensor | None,
        device: str | torch.device,
        world: World | None,
    ) -> None:
        _check(gan, images)
        labels = known_classes(gan, images, labels)
        self.gan, self.config, self.world = gan, config, world or World()
        gan.kinds = {**gan.kinds, "discriminator": losses.get(config.loss.name).kind}
        self.average = gan.generator.to(device).eval().requires_grad_(False)
        self.g = copy.deepcopy(gan.generator).train().requires_grad_(True)
        self.d = gan.discriminator.to(device).train().requires_grad_(True)
        for network in (self.g, self.d):
            laid_out(network, torch.channels_last)  # a fifth faster on a CPU at 28x28
        self.world.agree(config=str(config.as_dict()), images=str(tuple(images.shape)))
        self.world.broadcast(self.g, self.d, self.average)
        batches = Batches(images, labels, gan.generator, config, self.world, torch.device(device))
        self.updates = Updates((self.g, self.d), batches, config, self.world)
        self.number = self.skipped = self.in_a_row = 0
        self.seconds = 0.0

    def __iter__(self) -> Self:
        """The iterator itself."""
        return self

    def __next__(self) -> Step:
        """Take the next step."""
        if self.number >= self.config.run.steps:
            self.close()
            raise StopIteration
        start = time.perf_counter()
        try:
            self.d.train().requires_grad_(True)
            # dropout draws from torch's global stream: keyed by the step, it leaves the caller's alone
            with tensors.isolated(self.config.run.seed, "dropout", self.number + 1, self.world.rank):
                told = self._step(self.number + 1)
        except BaseException:
            self.close()
            raise
        self.number += 1
        self.d.eval().requires_grad_(False)  # as whoever looks on between steps expects it
        self.seconds += time.perf_counter() - start
        return self._told(*told)

    def close(self) -> None:
        """Leave the networks as they are saved and judged; done by itself after the last step."""
        laid_out(self.d, torch.contiguous_format).eval().requires_grad_(False)

    def state(self) -> dict[str, Any]:
        """All that `load` needs to continue bit for bit: plain tensors, numbers and names, copied.

        Processes must call it together: buffers, such as those of BatchNorm, become those of the first.

        Raises:
            WorldError: their weights differ, so no state is that of the run.
        """
        self.world.same(self.g, self.d, self.average)
        self.world.broadcast(self.g, self.d, self.average)
        return {
            "number": self.number,
            "skipped": self.skipped,
            "in_a_row": self.in_a_row,
            "seconds": self.seconds,
            "networks": {name: plain(network.state_dict(), name) for name, network in self._networks().items()},
            "optimisers": {name: plain(part.state_dict(), name) for name, part in self._optimisers().items()},
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state` of a run with the same data and config.

        Raises:
            ValueError: of other networks.
        """
        try:
            for name, network in self._networks().items():
                network.load_state_dict(state["networks"][name])
            for name, optimiser in self._optimisers().items():
                optimiser.load_state_dict(plain(state["optimisers"][name], name))  # which takes tensors as they are
            numbers = [state[name] for name in ("number", "skipped", "in_a_row")]
            self.seconds = float(state["seconds"])
        except (RuntimeError, KeyError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"the saved state is of another run and cannot be continued here: {reason}") from error
        self.number, self.skipped, self.in_a_row = map(int, numbers)

    def _networks(self) -> dict[str, nn.Module]:
        return {"generator": self.g, "discriminator": self.d, "average": self.average}

    def _optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {"generator": self.updates.opt_g, "discriminator": self.updates.opt_d}

    def _step(self, number: int) -> tuple[Update, Update | None, float]:
        """The last update of the discriminator, that of the generator unless it was skipped, and the learning rate."""
        lr, run = self.updates.schedule(number), self.config.run
        for turn in range(self.config.optim.n_critic):
            told_d = self.updates.discriminator(number, turn)
            if not told_d.taken:
                break
        told_g = self.updates.generator(number) if told_d.taken else None
        if told_g is not None and told_g.taken:
            ema.update(self.average, self.g, ema.decay(number * run.batch, run.batch, run.ema))
            self.in_a_row = 0
        else:
            self._skip(number)
        return told_d, told_g, lr

    def _skip(self, number: int) -> None:
        self.skipped, self.in_a_row = self.skipped + 1, self.in_a_row + 1
        if self.in_a_row >= PATIENCE:
            raise DivergedError(
                f"{PATIENCE} steps in a row up to step {number} gave values that are not finite, so the run was ended; "
                "lower optim.lr or raise loss.gamma"
            )

    def _told(self, told_d: Update, told_g: Update | None, lr: float) -> Step:
        facts = told_d.facts if told_d.taken else {}
        made = {"loss": told_g.facts["loss"], "norm": told_g.norm} if told_g is not None and told_g.taken else {}
        return Step(
            step=self.number,
            loss_d=facts.get("loss", math.nan),
            loss_g=made.get("loss", math.nan),
            r1=facts.get("r1"),
            r2=facts.get("r2"),
            gp=facts.get("gp"),
            accuracy=facts.get("accuracy", math.nan),
            logit_real=facts.get("logit_real", math.nan),
            logit_fake=facts.get("logit_fake", math.nan),
            grad_d=told_d.norm if told_d.taken else math.nan,
            grad_g=made.get("norm", math.nan),
            seen=self.number * self.config.run.batch * self.config.optim.n_critic,
            skipped=self.skipped,
            lr=lr,
            gamma=schedules.gamma(self.config, self.number),
            seconds=self.seconds,
        )


def laid_out(network: nn.Module, layout: torch.memory_format) -> nn.Module:
    """The network itself, its weights in another order in memory; values stay."""
    return network.to(memory_format=layout)  # type: ignore[call-overload, no-any-return]  # torch's stubs lack it


def _check(gan: GAN, images: Tensor) -> None:
    g = gan.generator
    if isinstance(g.form, Images):
        _check_images(images, (g.channels, g.resolution, g.resolution))
    else:
        g.form.check(images, "training rows")
    if len(images) < 2:
        raise ValueError(f"at least 2 training {g.form.many} are needed, got {len(images)}")


def known_classes(gan: GAN, images: Tensor, labels: Tensor | None) -> Tensor | None:
    """(N,) int64 labels of the images of a conditional GAN; None for another one.

    Raises:
        ValueError: labels that do not fit, none where there are classes, or some where there are none.
    """
    if gan.generator.num_classes and labels is None:
        raise ValueError("this GAN is conditional and needs the classes of the images: labels=... (N,) int64")
    return None if labels is None else known_labels(labels, len(images), gan.generator.num_classes)


def _check_images(images: Tensor, shape: tuple[int, ...]) -> None:
    if images.dtype != torch.uint8:
        raise TypeError(f"training images must be uint8, got {images.dtype}; use ganexplain.tensors.to_uint8")
    if images.ndim != 4 or tuple(images.shape[1:]) != shape:
        raise ValueError(
            f"training images must have the shape (N, {', '.join(map(str, shape))}), got {tuple(images.shape)}; "
            "see ganexplain.data.sets.open_data"
        )
