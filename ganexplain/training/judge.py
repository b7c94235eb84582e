"""The judge: the discriminator trained on against the frozen generator, and what both critics' logits mean.

Near equilibrium a discriminator can hardly tell its fakes from reals, by design. A network that goes on learning with
cross-entropy while the generator stands still can, and its decisions are those worth explaining.

A conditional judge is also shown some reals under labels that are not theirs, as what is not real (matching-aware, Reed
et al. 2016, algorithm 1), since neither the game nor fakes of the right class teach it to tell labels apart. That
costs some AUC against fakes.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganexplain import tensors
from ganexplain.models.conditional import conditioned
from ganexplain.models.critic import Critic
from ganexplain.models.gan import GAN
from ganexplain.models.verdict import Calibration, auc
from ganexplain.training import losses
from ganexplain.training.config import Config
from ganexplain.training.loop import DivergedError, known_classes, laid_out
from ganexplain.training.penalties import squared_slope
from ganexplain.training.sampler import Sampler

MAX_CALIBRATION = 4000  # images of either kind; more would not move a threshold that rests on 2,000

BETAS = (0.9, 0.99)  # with momentum, unlike the game: nothing moves against the judge
PER_MISMATCH = 8  # reals for each that is shown again under another label; more of them cost AUC against fakes
CHANCE = 0.6  # an AUC up to here may come with means in the wrong order


@dataclass(frozen=True)
class JudgeStep:
    """One step of the judge.

    Attributes:
        step: its number, from 1.
        loss: cross-entropy over reals and fakes, without penalties.
        accuracy: mean of the shares of reals and of fakes on the right side of zero; reals under labels that are not
            theirs count among the fakes, also in what follows.
        slope: mean squared gradient norm over reals and fakes, before gamma / 2.
    """

    step: int
    loss: float
    accuracy: float
    slope: float


def train_judge(
    gan: GAN, images: Tensor, config: Config, *, labels: Tensor | None = None, device: str | torch.device = "cpu"
) -> Iterator[JudgeStep]:
    """Give ``gan`` a judge, one step each time the iterator is advanced; generator and discriminator stay as they are.

    Args:
        gan: with a trained generator.
        images: (N, C, H, W) uint8 training images, or (N, F) float32 rows in their own units.
        config: its ``judge`` and ``run.seed`` are read.
        labels: (N,) int64 classes, for a conditional GAN: reals and fakes are judged under their own, some reals again
            under others, as fakes.
        device: where to compute.

    Raises:
        ValueError: labels that do not fit the GAN.
        DivergedError: the loss is not finite.
    """
    known = known_classes(gan, images, labels)
    options, seed = config.judge, config.run.seed
    if not options.steps:
        return
    generator = gan.generator.to(device).eval().requires_grad_(False)
    judge = copy.deepcopy(gan.discriminator).to(device).train().requires_grad_(True)
    laid_out(judge, torch.channels_last)
    optimiser = torch.optim.Adam(judge.parameters(), lr=options.lr, betas=BETAS)
    sampler = Sampler(len(images), options.batch, seed)
    gan.judge, gan.kinds = judge, {**gan.kinds, "judge": "logit"}
    try:
        for number in range(1, options.steps + 1):
            optimiser.param_groups[0]["lr"] = _cosine(options.lr, number, options.steps)
            rows = sampler.draw(number)
            real = generator.form.scaled(gan.seen(images[rows])).to(device)
            own = None if known is None else known[rows].to(device)
            codes = tensors.normal(seed, "judge", number, shape=(options.batch, generator.z_dim)).to(device)
            with torch.no_grad():
                fake = generator.raw(codes, own)  # of the classes of the reals, or the class alone would tell them
            told = own
            if own is not None:
                wrong = _others(own[: len(own) // PER_MISMATCH], generator.num_classes, seed, number)
                fake, told = torch.cat([fake, real[: len(wrong)]]), torch.cat([own, wrong])
            with tensors.isolated(seed, "judge dropout", number):
                step = _step(judge, optimiser, ((real, own), (fake, told)), number, options.gamma)
            yield step
    finally:
        laid_out(judge, torch.contiguous_format).eval().requires_grad_(False)


def _others(labels: Tensor, classes: int, seed: int, number: int) -> Tensor:
    """(N,) labels other than those given, each of the others as likely; none where there is but one class."""
    if classes < 2:
        return labels[:0]
    steps = tensors.rng(seed, "judge mismatches", number).integers(1, classes, len(labels))
    return (labels + torch.from_numpy(steps).to(labels)) % classes


def _step(
    judge: nn.Module,
    optimiser: torch.optim.Optimizer,
    kinds: tuple[tuple[Tensor, Tensor | None], tuple[Tensor, Tensor | None]],
    number: int,
    gamma: float,
) -> JudgeStep:
    """One update on the images, and labels, of what is real and of what is not."""
    told = ((images, judge if labels is None else conditioned(judge, labels)) for images, labels in kinds)
    logits, slopes = zip(*(squared_slope(network, images) for images, network in told), strict=True)
    loss = losses.bce_discriminator(*logits)
    slope = torch.cat(slopes).mean()
    optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(loss + gamma * slope)  # gamma / 2 on each kind; slope is the mean of the two
    if not math.isfinite(float(loss.detach())):
        raise DivergedError(f"the judge's loss at step {number} is not finite; lower judge.lr or raise judge.gamma")
    optimiser.step()
    right = 0.5 * ((logits[0] > 0).float().mean() + (logits[1] < 0).float().mean())
    return JudgeStep(number, float(loss.detach()), float(right), float(slope.detach()))


def _cosine(lr: float, number: int, steps: int) -> float:
    return lr * (0.5 + 0.5 * math.cos(math.pi * (number - 1) / steps))


def calibrate(
    gan: GAN, held_out: Tensor, *, labels: Tensor | None = None, seed: int = 0
) -> dict[str, dict[str, float | None]]:
    """Calibrate every critic on held-out reals and as many fresh fakes; the AUC comes from halves that fitted nothing.

    A conditional GAN has one calibration over all classes: its fakes are of the classes of the reals, and each image is
    judged under its own.

    Args:
        gan: its ``calibrations`` are set.
        held_out: (M, C, H, W) uint8 images, or (M, F) rows, that no network was trained on, at least 20.
        labels: (M,) int64 classes, for a conditional GAN.
        seed: decides the fakes and the halves.

    Returns:
        Per critic: ``auc``, mean logit of reals and fakes, and the share of reals whose logit is above 15, where a
        probability no longer tells images apart.

    Raises:
        ValueError: labels that do not fit the GAN, or too few reals.
    """
    known = known_classes(gan, held_out, labels)
    known = None if known is None else known[:MAX_CALIBRATION].cpu()
    real = gan.seen(held_out[:MAX_CALIBRATION].cpu())
    gan.generator.cpu()
    fake = gan.samples(len(real), seed=_fresh(seed), labels=known)
    facts: dict[str, dict[str, float | None]] = {}
    for name in gan.critics:
        critic = gan.critic(name, None if known is None else 0)  # of any class: each image brings its own
        found = gan.calibrations[name] = _calibration(critic, (real, fake), known, seed)
        on_real, on_fake = (critic.logits(batch, labels=known) for batch in (real, fake))
        facts[name] = {
            "auc": found.auc,
            "logit_real": float(on_real.mean()),
            "logit_fake": float(on_fake.mean()),
            "saturated": float((on_real > 15).float().mean()),
        }
    return facts


def _calibration(critic: Critic, images: tuple[Tensor, Tensor], labels: Tensor | None, seed: int) -> Calibration:
    """The critic's calibration; for one that ranks no better than chance, a slope of zero: every verdict is "unsure".

    A run that was cut short must still be saved, so such a critic is no error here, as it is for a user's own critic.
    """
    pairs = None if labels is None else (labels, labels)
    try:
        known = critic.calibrate(*images, labels=pairs, seed=seed).calibration
    except ValueError:
        on_real, on_fake = (critic.logits(batch, labels=labels) for batch in images)
        area = auc(on_real, on_fake)
        if area > CHANCE:
            raise
        middle = float(on_real.mean() + on_fake.mean()) / 2
        sizes = {"n_real": len(on_real), "n_fake": len(on_fake)}
        known = Calibration(middle, 0.0, area, **sizes, pooled=labels is not None)
    if known is None:
        raise ValueError("the critic could not be calibrated")
    return known


def _fresh(seed: int) -> int:
    """A seed for fakes that neither training nor a user's default seed has drawn."""
    return int(tensors.rng(seed, "fresh fakes").integers(2**31))
