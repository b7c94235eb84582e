"""The sections of a training config, each a frozen dataclass that checks its own values."""

from __future__ import annotations

from dataclasses import dataclass

from ganexplain import checks
from ganexplain.training import augment, losses, penalties

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class LossConfig:
    """The game.

    Attributes:
        name: "relativistic", "bce", "least_squares", "hinge" or "wasserstein".
        penalties: which ones: "r1" (slope at reals), "r2" (slope at fakes), "gp" (slope of 1 between the two).
        gamma: weight of r1 and r2, as gamma / 2 * squared norm; it grows with the area.
        gamma_to: last value of gamma as a share of it, reached at the end of ``run.burn_in``.
        gp: weight of "gp", lambda in Gulrajani et al. 2017.
        every: the penalties are computed every so many steps, and weigh as much more then; above 1 the proof that the
            relativistic game converges no longer holds (Huang et al. 2024).
    """

    name: str = "relativistic"
    penalties: tuple[str, ...] = ("r1", "r2")
    gamma: float = 1.0
    gamma_to: float = 1.0
    gp: float = 10.0
    every: int = 1

    def __post_init__(self) -> None:
        losses.get(self.name)
        for name in ("gamma", "gamma_to", "gp"):
            _at_least(getattr(self, name), 0, f"loss.{name}")
        _at_least(self.every, 1, "loss.every")
        for name in self.penalties:
            checks.one_of("penalty", name, penalties.NAMES)


@dataclass(frozen=True)
class OptimConfig:
    """Adam.

    Attributes:
        lr: learning rate of the generator.
        lr_ratio: the discriminator's rate as a multiple of it (two time scales, Heusel et al. 2017).
        betas: Adam's two decay rates.
        beta2_to: last value of the second, reached at the end of ``run.burn_in``; 0 keeps it.
        decay_from: share of the run after which the rates fall along a cosine; 1 keeps them constant.
        decay_to: their last value as a share of the first.
        clip: largest norm of a network's gradient, beyond which it is scaled down; 0 clips nothing.
        n_critic: updates of the discriminator for each of the generator.
    """

    lr: float = 5e-4
    lr_ratio: float = 1.0
    betas: tuple[float, float] = (0.0, 0.99)
    beta2_to: float = 0.0
    decay_from: float = 0.5
    decay_to: float = 0.05
    clip: float = 0.0
    n_critic: int = 1

    def __post_init__(self) -> None:
        checks.positive(self.lr, "optim.lr")
        checks.positive(self.lr_ratio, "optim.lr_ratio")
        if len(self.betas) != 2 or not all(0 <= b < 1 for b in (*self.betas, self.beta2_to)):
            found = f"{list(self.betas)} and {self.beta2_to}"
            raise ValueError(f"optim.betas must be two numbers, and optim.beta2_to one, from 0 to below 1, got {found}")
        for name in ("decay_from", "decay_to"):
            _share(getattr(self, name), f"optim.{name}")
        _at_least(self.clip, 0, "optim.clip")
        _at_least(self.n_critic, 1, "optim.n_critic")


@dataclass(frozen=True)
class RunConfig:
    """How long and on what.

    Attributes:
        steps: number of steps, each one update of the generator.
        batch: images an update, over all processes.
        seed: decides weights, noise and the order of images.
        ema: half-life of the moving average of weights, in images.
        burn_in: share of the run over which gamma and beta2 go to their last values, along a cosine.
        flip: mirror half of the reals left to right; wrong for anything with a left and a right side.
        augment: what is done to reals and fakes alike before the discriminator sees them: "color", "translation",
            "cutout" (Zhao et al. 2020); for fewer than some thousand images.
        precision: "float32", or "bfloat16" for the passes that a GPU does faster; penalties stay in float32.
    """

    steps: int = 10_000
    batch: int = 64
    seed: int = 0
    ema: float = 10_000.0
    burn_in: float = 0.0
    flip: bool = False
    augment: tuple[str, ...] = ()
    precision: str = "float32"

    def __post_init__(self) -> None:
        _at_least(self.steps, 1, "run.steps")
        _at_least(self.batch, 2, "run.batch")
        _at_least(self.ema, 0, "run.ema")
        _share(self.burn_in, "run.burn_in")
        for name in self.augment:
            checks.one_of("augmentation", name, augment.POLICIES)
        checks.one_of("precision", self.precision, PRECISIONS)


@dataclass(frozen=True)
class JudgeConfig:
    """The judge: the discriminator trained on with cross-entropy against the frozen generator.

    Attributes:
        steps: number of steps; 0 makes no judge.
        batch: images a step.
        lr: learning rate of Adam, falling along a cosine to nothing.
        gamma: weight of R1 and R2, which keep the judge's slopes small and its attributions smooth.
    """

    steps: int = 2500
    batch: int = 64
    lr: float = 2e-3
    gamma: float = 0.003

    def __post_init__(self) -> None:
        _at_least(self.steps, 0, "judge.steps")
        _at_least(self.batch, 2, "judge.batch")
        checks.positive(self.lr, "judge.lr")
        _at_least(self.gamma, 0, "judge.gamma")


@dataclass(frozen=True)
class WatchConfig:
    """What is written down while a run goes on; none of it changes the weights.

    Attributes:
        log: steps between lines of ``metrics.jsonl``.
        evaluate: steps between measurements of the samples' quality; 0 measures at the end alone.
        fakes: samples that a measurement draws.
        sheet: steps between sheets of samples.
        save: steps between checkpoints.
        keep: checkpoints that are kept, beside the best.
    """

    log: int = 50
    evaluate: int = 1000
    fakes: int = 2000
    sheet: int = 1000
    save: int = 1000
    keep: int = 3

    def __post_init__(self) -> None:
        for name in ("log", "sheet", "save", "keep"):
            _at_least(getattr(self, name), 1, f"watch.{name}")
        _at_least(self.evaluate, 0, "watch.evaluate")
        _at_least(self.fakes, 100, "watch.fakes")


def _at_least(value: float, least: float, name: str) -> None:
    if not value >= least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def _share(value: float, name: str) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie in [0, 1], got {value}")
