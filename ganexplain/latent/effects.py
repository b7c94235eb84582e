"""How far each direction moves a critic's logit, beside what random directions of the same length do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.latent.directions import Directions
from ganexplain.models.critic import Critic
from ganexplain.models.generator import Generator

N_RANDOM = 16
CHANCE = 0.95  # quantile of the random directions that an effect must exceed


@dataclass(frozen=True)
class Moved:
    """What one standard deviation along each of K directions changes, over N codes.

    Attributes:
        mean: (K,) change of the logit, positive when the image looks more real.
        error: (K,) standard error of ``mean`` over the codes.
        absolute: (K,) mean of the change's size, which does not cancel between codes.
        agreement: (K,) share of codes whose logit changes in the direction of ``mean``.
        image: (K,) mean absolute change of a pixel, on the scale [-1, 1]; of rows and signals of a value as scaled.
    """

    mean: Tensor
    error: Tensor
    absolute: Tensor
    agreement: Tensor
    image: Tensor

    def part(self, rows: slice) -> Moved:
        """Some of the directions."""
        return Moved(**{name: values[rows] for name, values in vars(self).items()})

    def row(self, index: int) -> dict[str, float]:
        """The numbers of one direction."""
        return {name: _short(values[index]) for name, values in vars(self).items()}


@dataclass(frozen=True)
class Effects:
    """The effects of directions and of random ones.

    Attributes:
        names: K names.
        found: of the directions themselves.
        control: of random directions with the same step length.
        step: standard deviations on either side of a code over which the differences are taken.
        n_codes: number of codes.
        logit_std: standard deviation of the unedited codes' logits, which a change is to be compared with.
        unit: "logit", or "score" for a critic that is defined only up to scale.
        outside_prior: share of the edited codes' entries beyond [-1, 1] under a uniform prior, where the generator was
            never trained and the critic's logit says little; 0 under a normal one.
    """

    names: tuple[str, ...]
    found: Moved
    control: Moved
    step: float
    n_codes: int
    logit_std: float
    unit: str
    outside_prior: float

    @property
    def chance(self) -> float:
        """Size of the mean change that 95 % of the random directions stay below."""
        return float(torch.quantile(self.control.mean.abs(), CHANCE))

    @property
    def beyond_chance(self) -> Tensor:
        """(K,) bool: the mean change exceeds chance, and twice its own standard error."""
        size = self.found.mean.abs()
        return (size > self.chance) & (size > 2 * self.found.error)

    @property
    def strongest(self) -> int:
        """Which direction moves the mean logit furthest."""
        return int(self.found.mean.abs().argmax())

    def headline(self, whose: str) -> str:
        """One sentence: which direction moves the critic's logit most, and what random directions do.

        Args:
            whose: the critic in words, such as "the judge".
        """
        i = self.strongest
        row = self.table()[i]
        chance = f"95 % of {len(self.control.mean)} random directions move it by less than {self.chance:.2g}"
        change = f"{row['text']} per standard deviation"
        if row["beyond_chance"]:
            many = f", of {len(self.names)} directions," if len(self.names) > 1 else ""
            return f"{self.names[i]}{many} moves the {self.unit} of {whose} most: {change}; {chance}."
        return (
            f"No direction moves the {self.unit} of {whose} more than chance does: the strongest, {self.names[i]}, by "
            f"{change}; {chance}."
        )

    def table(self) -> list[dict[str, Any]]:
        """One row a direction, ready for JSON."""
        beyond = self.beyond_chance.tolist()
        rows: list[dict[str, Any]] = []
        for i, name in enumerate(self.names):
            row = self.found.row(i)
            text = f"{rounded(row['mean'], row['error'])} ± {rounded(row['error'], row['error'])[1:]}"
            rows.append({"name": name, **row, "text": text, "beyond_chance": beyond[i]})
        return rows

    def to_json(self) -> dict[str, Any]:
        """All numbers, ready for JSON."""
        control = {
            "n_directions": len(self.control.mean),
            "mean_size_95": _short(self.chance),
            "absolute": _short(self.control.absolute.mean()),
            "image": _short(self.control.image.mean()),
        }
        return {
            "unit": f"{self.unit} per standard deviation",
            "step": self.step,
            "n_codes": self.n_codes,
            "logit_std": _short(self.logit_std),
            "outside_prior": _short(self.outside_prior),
            "directions": self.table(),
            "random_control": control,
        }


def effects(
    directions: Directions,
    generator: Generator,
    critic: Critic,
    codes: Tensor,
    *,
    step: float = 1.0,
    control: Directions | None = None,
) -> Effects:
    """Measure by central differences, ``(logit(+step) - logit(-step)) / (2 step)``, for every code.

    Args:
        directions: found in ``generator``.
        generator: makes the images.
        critic: judges them.
        codes: (N, D), at least 2; not those that the directions were chosen on.
        step: in standard deviations.
        control: what to compare with; default `random_directions`.

    Raises:
        ValueError: fewer than 2 codes, or directions of another generator.
    """
    checks.positive(step, "step")
    if len(codes) < 2:
        raise ValueError(f"a standard error needs at least 2 codes, got {len(codes)}")
    directions.check(generator)
    control = random_directions(directions) if control is None else control
    edited = torch.cat([directions.edit(codes, i, s) for i in range(len(directions)) for s in (-step, step)])
    return Effects(
        directions.names,
        _moved(directions, generator, critic, codes, step),
        _moved(control, generator, critic, codes, step),
        step,
        len(codes),
        float(critic.logits(generator.render(codes, directions.space)).double().std()),
        critic.unit,
        directions.outside_prior(edited),
    )


def random_directions(like: Directions, n: int = N_RANDOM, *, seed: int = 0) -> Directions:
    """``n`` directions drawn uniformly from the sphere, with the mean step length of ``like``."""
    drawn = tensors.normal(seed, "random directions", shape=(n, like.vectors.shape[1]))
    return Directions(
        torch.nn.functional.normalize(drawn.double(), dim=1).float(),
        like.scale.mean().expand(n).float(),
        space=like.space,
        method="random",
        params={"seed": seed},
        prior=like.prior,
        fingerprint=like.fingerprint,
    )


def image_change(directions: Directions, generator: Generator, codes: Tensor, *, step: float = 1.0) -> Tensor:
    """(K,) mean absolute change of a pixel per standard deviation, on the scale [-1, 1], over codes (N, D)."""
    changes = []
    for i in range(len(directions)):
        down, up = (generator.render(directions.edit(codes, i, s), directions.space) for s in (-step, step))
        changes.append(_apart(generator, down, up) / (2 * step))
    return torch.stack(changes)


def _moved(directions: Directions, generator: Generator, critic: Critic, codes: Tensor, step: float) -> Moved:
    columns = []
    for i in range(len(directions)):
        down, up = (generator.render(directions.edit(codes, i, s), directions.space) for s in (-step, step))
        slope = (critic.logits(up).double() - critic.logits(down).double()).cpu() / (2 * step)
        image = _apart(generator, down, up) / (2 * step)
        same = (slope.sign() == slope.mean().sign()).double().mean()
        error = slope.std() / len(slope) ** 0.5
        columns.append(torch.stack([slope.mean(), error, slope.abs().mean(), same, image]))
    return Moved(*torch.stack(columns, 1))


def _apart(generator: Generator, down: Tensor, up: Tensor) -> Tensor:
    """Mean absolute difference, in the units in which the form compares values."""
    low, high = (generator.form.scaled(x) for x in (down, up))
    return (high.double() - low.double()).abs().mean().cpu()


def rounded(value: float, error: float) -> str:
    """``value`` with its sign and as many decimals as ``error`` leaves it: two digits of an error that starts with 1.

    >>> rounded(-0.04296, 0.0038), rounded(0.1034, 0.13), rounded(12.34, 2.0), rounded(0.5, 0.0), rounded(-0.001, 0.02)
    ('−0.043', '+0.10', '+12', '+0.5', '0.00')
    """
    if not error > 0:
        return f"{value:+.4g}".replace("-", "−")
    place = math.floor(math.log10(error))
    decimals = max(0, -place + (error < 1.95 * 10**place))
    text = f"{value:+.{decimals}f}"
    return (text if float(text) else text[1:]).replace("-", "−")


def _short(value: float | Tensor) -> float:
    """Six digits: what is beyond differs between machines."""
    return float(f"{float(value):.6g}")
