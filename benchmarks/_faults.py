"""Small trainings with one thing wrong each: what the diagnostics of training are measured on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganexplain import tensors
from ganexplain.data.sets import open_data
from ganexplain.data.splits import split
from ganexplain.models.gan import GAN
from ganexplain.training.loop import Training

STEPS, LOG, EVALUATE = 480, 8, 40
WIDTH, Z_DIM = 128, 16
SMALL = (f"run.steps={STEPS}", "run.batch=32", "run.ema=2000", "optim.lr=1e-3", "loss.gamma=0.02")
CLASSIC = ("loss.name=bce", "loss.penalties=[]")
ONE, FIVE, COPIED, TURN = (0,), (0, 1, 2, 3, 4), 64, 40
DATA_SEED = 0


@dataclass(frozen=True)
class Trial:
    """A kind of run.

    Attributes:
        name: of the fault, or of the healthy set-up.
        does: what is done, in words.
        own: diagnostics of which one has to catch it; () where any may, and of a healthy run.
        preset: the config that is changed.
        changes: overrides beyond those of a small run.
        lacks: classes that training lacks, though the set that samples are measured against has them.
        copied: the set is a few images, repeated.
        meddle: changes the run before its first step.
    """

    name: str
    does: str
    own: tuple[str, ...] = ()
    preset: str = "dcgan"
    changes: tuple[str, ...] = ()
    lacks: tuple[int, ...] = ()
    copied: bool = False
    meddle: Callable[[Training], None] | None = None

    @property
    def overrides(self) -> tuple[str, ...]:
        """All of them, in order."""
        return (*SMALL, *self.changes)


def repeated(rows: Tensor) -> Tensor:
    """The first few, as many times as it takes."""
    return rows[:COPIED].repeat(math.ceil(len(rows) / COPIED))


def frozen_discriminator(run: Training) -> None:
    """It stays as it is drawn."""
    run.updates.opt_d.step = _nothing  # type: ignore[method-assign]


def frozen_generator(run: Training) -> None:
    """It stays as it is drawn."""
    run.updates.opt_g.step = _nothing  # type: ignore[method-assign]


def _nothing(*_: Any, **__: Any) -> None:
    return None


def sorted_by_class(run: Training) -> None:
    """Reals come class by class instead of shuffled."""
    batches = run.updates.batches
    data = open_data("digits")
    labels = data.labels[split(data, seed=DATA_SEED).train]
    members = [torch.nonzero(labels == c).flatten() for c in range(10)]

    def draw(number: int) -> Tensor:
        own = members[number // (2 * TURN) % 10]  # two draws a step
        places = tensors.rng(run.config.run.seed, "sorted", number).integers(len(own), size=run.config.run.batch)
        return own[torch.from_numpy(places)]

    batches.sampler.draw = draw  # type: ignore[method-assign]


def stalled(run: Training) -> None:
    """The learning rate falls to 1e-7 after a tenth of the run."""
    usual = run.updates.schedule

    def schedule(number: int) -> float:
        lr = usual(number)
        if number <= run.config.run.steps // 10:
            return lr
        for optimiser in (run.updates.opt_g, run.updates.opt_d):
            optimiser.param_groups[0]["lr"] = 1e-7
        return 1e-7

    run.updates.schedule = schedule  # type: ignore[method-assign]


def poisoned(run: Training) -> None:
    """One pass of the discriminator in forty gives a NaN."""
    passes = 0

    def poison(_: nn.Module, __: Any, logits: Tensor) -> Tensor:
        nonlocal passes
        passes += 1
        return logits * math.nan if run.d.training and passes % 40 == 0 else logits

    run.d.register_forward_hook(poison)


def deaf(run: Training) -> None:
    """The generator hears a thousandth of its code: what it draws is all alike."""
    for network in (run.g, run.average):
        network.register_forward_pre_hook(lambda _, given: (given[0] * 1e-3, *given[1:]))


FAULTS = (
    Trial("NaN injected", "one pass of the discriminator in forty gives NaN", ("non_finite",), meddle=poisoned),
    Trial(
        "strong discriminator",
        "no penalty, and the discriminator's rate 50 times the generator's",
        ("discriminator_wins",),
        changes=("loss.penalties=[]", "optim.lr=5e-5", "optim.lr_ratio=50"),
    ),
    Trial(
        "generator frozen",
        "its weights stay as they are drawn",
        ("discriminator_wins", "stagnation"),
        meddle=frozen_generator,
    ),
    Trial(
        "discriminator frozen",
        "its weights stay as they are drawn",
        ("discriminator_loses",),
        meddle=frozen_discriminator,
    ),
    Trial("duplicated data", f"{COPIED} images, repeated", ("overfitting",), copied=True),
    Trial("code cut", "the generator hears a thousandth of its code", ("mode_collapse",), meddle=deaf),
    Trial(
        "one class removed",
        f"training lacks the digit {ONE[0]}, which is held out",
        ("mode_imbalance",),
        lacks=ONE,
    ),
    Trial(
        "half the classes removed",
        f"training lacks the digits {FIVE[0]} to {FIVE[-1]}, which are held out",
        ("mode_imbalance",),
        lacks=FIVE,
    ),
    Trial(
        "sorted by class",
        f"the reals of {TURN} steps are of one class, then come those of the next; constant rate",
        ("oscillation",),
        changes=("optim.decay_from=1",),
        meddle=sorted_by_class,
    ),
    Trial("penalty x1000", "gamma 20 for .02", ("penalty_balance",), changes=("loss.gamma=20",)),
    Trial("rate to 1e-7", "both learning rates fall to 1e-7 after a tenth", ("stagnation",), meddle=stalled),
    Trial("learning rate x100", ".1 for .001", changes=("optim.lr=0.1",)),
    Trial(
        "momentum, no penalty",
        "cross-entropy without penalty, Adam's first decay rate .9, rate .005",
        changes=(*CLASSIC, "optim.betas=[0.9, 0.99]", "optim.lr=5e-3", "run.ema=0"),
    ),
)
HEALTHY = (
    Trial("relativistic", "the game of the preset dcgan: R1 and R2"),
    Trial("cross-entropy", "the game of the preset dcgan-bce: R1", preset="dcgan-bce"),
    Trial("least squares", "the game of the preset lsgan: R1", preset="lsgan"),
    Trial("hinge", "hinge with R1", changes=("loss.name=hinge", "loss.penalties=['r1']")),
    Trial(
        "wasserstein",
        "the game of the preset wgan-gp, two turns a step",
        preset="wgan-gp",
        changes=("optim.n_critic=2",),
    ),
)


def built(seed: int) -> GAN:
    """A new small GAN, fully connected on both sides, whose weights are drawn from ``seed``."""
    with tensors.isolated(seed, "weights"):
        gan = GAN.build("mlp", seed=seed, resolution=8, channels=1, widths=[WIDTH, WIDTH], z_dim=Z_DIM, slope=0.2)
        layers = [nn.Linear(64, WIDTH), nn.LeakyReLU(0.2), nn.Linear(WIDTH, WIDTH), nn.LeakyReLU(0.2)]
        gan.discriminator = nn.Sequential(nn.Flatten(), *layers, nn.Linear(WIDTH, 1))
    return gan
