"""The direction along which an attribute rises, from scores or labels (InterFaceGAN)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganexplain import checks
from ganexplain.latent import projection, scores, separation
from ganexplain.latent.directions import Directions, fingerprint, spread
from ganexplain.latent.finders import Finder
from ganexplain.latent.finders._sampling import private
from ganexplain.latent.scores import Attribute, Ground, Scored
from ganexplain.latent.separation import ESTIMATORS, Estimator, Quality
from ganexplain.models.generator import Generator

__all__ = ["Boundary"]

CHANCE = 0.5


class Boundary(Finder):
    """The direction along which an attribute rises, from scores or labels, with its accuracy on codes not used.

    The normal of the boundary between codes with more and with less of the attribute (Shen et al. 2020, "Interpreting
    the latent space of GANs for semantic face editing"); a positive amount is more of the attribute. The accuracy, AUC
    and R^2 come from five folds: every code is judged by a direction that was found without it. A direction stands out
    when the 95 % interval of its accuracy lies above one half.

    Args:
        attribute: what is scored, one of
            a name from `ganexplain.latent.attributes`, such as "brightness";
            a function of images (N, C, H, W) in [-1, 1] that returns (N,), such as a `Critic` (its logit);
            a CSV with a column ``index`` or ``seed`` and one column a score, or a mapping of index to score: the codes
            are ``generator.sample(n, seed=seed)`` with the seed of `fit`, and twenty labels 1 and 0 will do;
            scores (L,) of the first L codes, or ``(codes, labels)``;
            several of these: a list of names, or a mapping of name to source.
            None is every built-in attribute, the best ``n_directions`` of them.
        how: "ridge" regresses the score on all codes, and is the default since it uses every code and the size of its
            score; "svm" separates the tenth at either end, as the paper does; "mean_difference" joins the means of
            these; two-valued labels are used whole. Another share is ``partial(separation.svm, share=0.02)``, and any
            `separation.Estimator` will do.
        conditions: attributes that the directions must leave alone, named as ``attribute`` is: the projection is joint.
        n_codes: codes that functions of images are evaluated on.
        space: latent space of the codes.
        n_directions: how many built-in attributes at most where ``attribute`` is None; named ones are all kept.

    Attributes:
        qualities_: per attribute, how well its direction tells codes that were not used.
    """

    facts = ("needs scores or labels", "held-out accuracy")
    measure = "held-out accuracy"
    columns: ClassVar[Mapping[str, str]] = {"auc": "held-out AUC", "r2": "held-out R²", "residual": "length left"}

    qualities_: dict[str, Quality]

    def __init__(
        self,
        attribute: Attribute = None,
        *,
        how: str | Estimator = "ridge",
        conditions: Attribute = None,
        n_codes: int = 2048,
        space: str = "z",
        n_directions: int = 10,
    ) -> None:
        super().__init__(space=space, n_directions=n_directions)
        self.attribute, self.conditions = attribute, conditions
        self.how = how if callable(how) else checks.one_of("estimator", how, ESTIMATORS)
        self.n_codes = int(checks.positive(n_codes, "n_codes"))

    def fit(self, generator: Generator, *, seed: int = 0) -> Boundary:
        """Score codes of ``generator`` and find a direction for each attribute.

        Raises:
            FileNotFoundError: there is no such CSV.
            TypeError: an attribute of another kind.
            ValueError: unknown names, too few codes, scores that are all the same, or an attribute that the conditions
                contain wholly.
        """
        estimator = ESTIMATORS[self.how] if isinstance(self.how, str) else self.how
        targets, conditions = self._scored(generator, seed)
        vectors = torch.stack([estimator(s.codes, s.values).vector for s in targets.values()])
        taken, left = None, torch.ones(len(vectors), dtype=torch.double)
        if conditions:
            taken = torch.stack([estimator(s.codes, s.values).vector for s in conditions.values()])
            vectors, left = projection.project(vectors, taken)
        qualities = [separation.quality(s, estimator, seed, taken) for s in targets.values()]
        order = self._order(qualities)
        names = tuple(list(targets)[i] for i in order)
        self.qualities_ = {list(targets)[i]: qualities[i] for i in order}
        if conditions:
            projection.warn_entangled(names, left[order], " and ".join(map(repr, conditions)))
        found = vectors[order].float()
        params = self._findings(left[order]) | {"sources": [targets[name].source for name in names]}
        self._directions = Directions(
            found,
            spread(generator, found, self.space, seed=seed),
            torch.tensor([q.accuracy for q in self.qualities_.values()]),
            space=self.space,
            names=names,
            method="boundary",
            params=params | {"conditions": list(conditions)},
            stands_out=tuple(q.low > CHANCE for q in self.qualities_.values()),
            prior=generator.prior,
            fingerprint=fingerprint(generator),
        )
        return self

    def _scored(self, generator: Generator, seed: int) -> tuple[dict[str, Scored], dict[str, Scored]]:
        """The attributes and the conditions; of the built-in ones, those that vary and are no condition."""
        ground = Ground(private(generator, self.space), self.space, self.n_codes, seed)
        targets = scores.named(self.attribute, generator.channels)
        conditions = {} if self.conditions is None else scores.named(self.conditions, generator.channels)
        if self.attribute is None:
            targets = {name: source for name, source in targets.items() if name not in conditions}
        if both := sorted(set(targets) & set(conditions)):
            raise ValueError(f"{both[0]!r} is both the attribute and a condition; leave it out of one of them")
        found = scores.scored({**targets, **conditions}, ground)
        apart = {name: s for name, s in found.items() if name in conditions}
        wanted = {name: s for name, s in found.items() if name not in conditions}
        if self.attribute is None:
            wanted = {name: s for name, s in wanted.items() if not s.constant}
        for name, s in {**wanted, **apart}.items():
            s.check(name)
        if not wanted:
            raise ValueError(
                "no built-in attribute varies over this generator's images; it may return a constant image"
            )
        return wanted, apart

    def _order(self, qualities: list[Quality]) -> list[int]:
        """As named; of the built-in attributes, the most accurate first."""
        order = list(range(len(qualities)))
        if self.attribute is None:
            order = sorted(order, key=lambda i: -qualities[i].accuracy)[: self.n_directions]
        return order

    def _findings(self, left: Tensor) -> dict[str, Any]:
        """Settings and figures, plain JSON; lists have one entry a direction."""
        columns = [asdict(q) for q in self.qualities_.values()]
        figures = {key: [_short(row[key]) for row in columns] for key in columns[0]}
        how = self.how if isinstance(self.how, str) else _called(self.how)
        del figures["n"]
        interval = [list(pair) for pair in zip(figures.pop("low"), figures.pop("high"), strict=True)]
        residual = {} if self.conditions is None else {"residual": [_short(v) for v in left.tolist()]}
        return {
            "how": how,
            "n_codes": [q.n for q in self.qualities_.values()],
            **figures,
            "accuracy_95": interval,
            **residual,
        }


def _called(estimator: Estimator) -> str:
    if isinstance(estimator, partial):
        given = ", ".join(f"{key}={value!r}" for key, value in estimator.keywords.items())
        return f"{_called(estimator.func)}({given})"
    return str(getattr(estimator, "__name__", type(estimator).__name__))


def _short(value: float | None) -> float | None:
    """Six digits: what is beyond differs between machines."""
    return None if value is None else float(f"{value:.6g}")
