"""How far an explanation depends on the baseline that it starts from."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ganexplain import checks
from ganexplain.attribution import players as groups
from ganexplain.attribution.attribution import Attribution
from ganexplain.attribution.baselines import made_once
from ganexplain.attribution.baselines._fixed import Fixed
from ganexplain.attribution.baselines.noise import Noise
from ganexplain.attribution.baselines.shuffled import Shuffled
from ganexplain.attribution.chart import BaselineLike
from ganexplain.attribution.methods._base import Method
from ganexplain.evaluation.agreement import chance_level, spearman
from ganexplain.evaluation.trust import COVERED
from ganexplain.models.critic import Critic

LIGHT = 256  # evaluations of a method that removes parts, for each baseline
STEEP = 30  # gradients of a method that takes them
# on the bundled judge with 16 regions, maps of one image by other draws agree by .84 and more, and those of two images
# reach .7 in 1 of 182 pairs: what two baselines above it tell is of the image
SAME = 0.7
FEWER = 4  # members of a set of noise, instead of 16, since a method works once for each
FROM_REALS = ("nearest_real", "shuffled", "median", "mean", "reals")
TRIED = ("nearest_real", "blur", "inpaint", "noise", "shuffled", "median", "zero", "black", "mean")
PARTS = {"frequency": "band", "latent": "direction"}
ALIKE = 1e-3  # root mean square difference below which two baselines are one


@dataclass(frozen=True)
class Dependence:
    """The parts' values from several baselines, compared.

    Attributes:
        baselines: names; the first one is that of the explanation itself.
        logits: the critic's logit of each baseline; of a set, the mean.
        correlations: rank correlation of every pair's values, in the order (0, 1), (0, 2), (1, 2), ...
        kept: share of the other baselines that put the same part first as the first baseline: the part that speaks most
            for the side.
        method: by which method.
        parts: how many parts were compared, 0 if that is not known.
        chance: rank correlation that 95 % of relabellings of so many parts stay below, or NaN.
        part: what a part is called.
    """

    baselines: tuple[str, ...]
    logits: tuple[float, ...]
    correlations: tuple[float, ...]
    kept: float
    method: str
    parts: int = 0
    chance: float = math.nan
    part: str = "region"

    @property
    def word(self) -> str:
        """What other baselines tell: "much the same", "in part the same" or "a different story".

        Much the same: each of them agrees with the first by a rank correlation of at least .7. A different story: none
        agrees better than chance does with so many parts.
        """
        beside = self.correlations[: len(self.baselines) - 1]
        chance = 0.0 if math.isnan(self.chance) else self.chance
        if min(beside) >= max(SAME, chance):
            return "much the same"
        return "a different story" if max(beside) <= chance else "in part the same"

    @property
    def sentence(self) -> str:
        """The finding in plain words with its numbers; see `Form.told` for rows and signals."""
        own, *others = (name.replace("_", " ") for name in self.baselines)
        agree = ", ".join(
            f"{value:+.2f} with {name}" for value, name in zip(self.correlations[: len(others)], others, strict=True)
        )
        parts = f"{self.parts} {self.part}s" if self.parts else f"{self.part}s"
        chance = "" if math.isnan(self.chance) else f"; chance alone stays below {self.chance:+.2f} in 95 % of cases"
        same = round(self.kept * len(others))
        return (
            f"Other baselines tell {self.word}: the rank correlation of the {parts} from {own} is {agree}{chance}; the "
            f"{self.part} that speaks most stays first with {same} of {len(others)}."
        )


def dependence(
    method: Method,
    image: Tensor,
    labels: Tensor | None,
    *,
    side: str,
    baselines: Sequence[BaselineLike],
    seed: int = 0,
) -> Dependence:
    """Run one method from several baselines and compare what it says of the parts.

    Args:
        method: bound to critic and domain; its own baseline is not used, and its effort is cut to what ranks need.
        image: (1, C, H, W), or what else the domain takes.
        labels: (H, W), or (F,) or (C, L), the parts whose totals are compared; None takes the domain's players.
        side: "fake" or "real".
        baselines: at least two, the explanation's own first; see `contrasting`.
        seed: of sampled methods, the same for all baselines.

    Raises:
        ValueError: several images, or fewer than two baselines.
    """
    checks.side(side)
    if len(image) != 1:
        raise ValueError(f"the dependence on the baseline is that of one image, got {len(image)}; loop over them")
    if len(baselines) < 2:
        raise ValueError(f"at least two baselines are needed to compare them, got {len(baselines)}")
    run = _light(method)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a baseline far from the reals is one of the things compared
        found = [run.variant(baseline=b).attribute(image, side=side, seed=seed) for b in baselines]
    totals = [_rounded(_totals(one, labels)) for one in found]
    pairs = list(itertools.combinations(totals, 2))
    best = [int(total.argmax()) for total in totals]
    return Dependence(
        baselines=tuple(one.baseline for one in found),
        logits=tuple(float(one.origin_logit[0]) for one in found),
        correlations=tuple(spearman(a, b) for a, b in pairs),
        kept=sum(other == best[0] for other in best[1:]) / (len(best) - 1),
        method=method.name,
        parts=len(totals[0]),
        chance=chance_level(*pairs[0]),
        part=PARTS.get(found[0].domain, "region"),
    )


def contrasting(
    critic: Critic, image: Tensor, side: str, first: BaselineLike, *, n: int = 3, batch_size: int = 64
) -> tuple[Fixed, ...]:
    """Baselines of one image to compare, each made once: the explanation's own, and others that differ from it.

    Tried in the order nearest real, blur, inpaint, noise (of rows: nearest real, shuffled, median, zero), as far as the
    form has them and reals are known. Those come first that leave at least half of the verdict to explain, as the check
    of contrast asks; a map from a baseline that is judged like the image ranks small differences.

    Args:
        critic: who judged.
        image: (1, C, H, W), or a row or signal.
        side: the side that is explained.
        first: the explanation's own baseline.
        n: how many, at most: a form without known reals may have fewer.
        batch_size: the largest batch that the critic sees.
    """
    sign, own = checks.side(side), made_once(critic, image, first)
    verdict = float(critic.logits(image, batch_size=batch_size)[0]) - critic.threshold
    chosen, rest = [own], list[tuple[float, Fixed]]()
    for name in TRIED:
        if len(chosen) == n:
            break
        if name not in critic.form.baselines or (name in FROM_REALS and critic.reference is None) or name == own.name:
            continue
        made = made_once(critic, image, _small(name))
        if any(_alike(made, other) for other in (*chosen, *(fixed for _, fixed in rest))):
            continue
        evidence = sign * (float(critic.logits(_members(made), batch_size=batch_size).mean()) - critic.threshold)
        if evidence <= (1 - COVERED) * sign * verdict:
            chosen.append(made)
        else:
            rest.append((evidence, made))
    rest.sort(key=lambda pair: pair[0])
    return (*chosen, *(made for _, made in rest))[:n]


def _small(name: str) -> BaselineLike:
    sets: dict[str, BaselineLike] = {"noise": Noise(FEWER), "shuffled": Shuffled(FEWER)}
    return sets.get(name, name)


def _members(fixed: Fixed) -> Tensor:
    return fixed.made if fixed.n == 1 else fixed.made[0]


def _alike(one: Fixed, other: Fixed) -> bool:
    difference = _members(one).double().mean(0) - _members(other).double().mean(0)
    return bool(difference.square().mean().sqrt() < ALIKE)


def _light(method: Method) -> Method:
    if not hasattr(method, "max_evaluations"):
        return method
    most = LIGHT if method.needs == "calls" else STEEP
    return method.variant(max_evaluations=min(most, method.max_evaluations))


def _rounded(totals: Tensor) -> Tensor:
    """In ten-thousandths of the largest: parts that say nothing are alike, and not ranked by their rounding errors."""
    most = totals.abs().max()
    return totals if float(most) == 0 else (totals / most).round(decimals=4)


def _totals(found: Attribution, labels: Tensor | None) -> Tensor:
    """(P,) value of each part."""
    if labels is None:
        return found.totals()[0]
    extra = found.values.ndim - 1 - labels.ndim  # the axis of an image's channels
    values = found.values.flatten(1, extra).sum(1) if extra else found.values
    return groups.totals(values, labels[None].to(values.device))[0]
