"""Why one image, row or signal was judged so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ganexplain import store
from ganexplain.attribution.attribution import Attribution
from ganexplain.attribution.counterfactuals import Counterfactual
from ganexplain.evaluation.dependence import Dependence
from ganexplain.evaluation.trust import Trust
from ganexplain.explanation.parts import region_totals
from ganexplain.explanation.plan import Plan
from ganexplain.models.critic import Critic
from ganexplain.models.forms import IMAGES, Form
from ganexplain.models.labelled import LabelReading
from ganexplain.models.patches import PatchMap
from ganexplain.models.verdict import Verdict

QUANTILES = torch.linspace(0, 1, 101, dtype=torch.float64)  # of the reals' logits, minimum and maximum included


@dataclass(frozen=True)
class Facet:
    """The same verdict in other coordinates than places: in frequencies, or in latent directions.

    Attributes:
        domain: the domain's name, "frequency" or "latent".
        names: (P,) what the parts are called, by label.
        attributions: by method name, in the order of the plan.
        trusts: by method name.
        images: (P, C, H, W) the image without each part: with the baseline's in its place.
        logits: (P,) the critic's logits of those.
        facts: what the domain found beside, JSON-able, such as the quality of an inversion.
        arrays: curves and spectra behind the figures.
        notes: what a reader must know, one sentence each.
        doubted: what was explained stands for the image badly, so that the word is at best "CHECK".
    """

    domain: str
    names: tuple[str, ...]
    attributions: Mapping[str, Attribution]
    trusts: Mapping[str, Trust]
    images: Tensor
    logits: Tensor
    facts: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Tensor] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    doubted: bool = False

    @property
    def primary(self) -> Attribution:
        """The attribution of the first method that was computed."""
        return next(iter(self.attributions.values()))

    @property
    def word(self) -> str:
        """The word of the primary attribution: "RELIABLE", "CHECK" or "NOT RELIABLE"."""
        known = self.trusts.get(self.primary.method)
        word = "CHECK" if known is None else known.word
        return "CHECK" if self.doubted and word == "RELIABLE" else word

    def totals(self, method: str | None = None) -> Tensor:
        """(P,) value of each part by a method, the primary one by default."""
        found = self.primary if method is None else self.attributions[method]
        return found.totals()[0]

    def __repr__(self) -> str:
        first = self.primary
        told = ", ".join(f"{one.name} {one.value:+.2f}" for one in first.top(2))
        return f"Facet({self.domain}, {len(self.names)} parts, for {first.side!r}: {told or 'nothing'}, {self.word})"


@dataclass(frozen=True)
class Explanation:
    """Why one image was judged so; or one row of a table, or one signal.

    Attributes:
        name: what the image is called.
        image: (1, C, H, W); a row (1, F) or a signal (1, C, L) in its own units.
        verdict: the critic's judgement.
        side: what positive values speak for.
        attributions: by method name, in the order of the plan.
        trusts: by method name.
        regions: (H, W) canonical labels of the regions; (F,) of features, (C, L) of spans.
        critic: what is known of the critic, JSON-able.
        plan: how it was made.
        notes: what a reader must know, one sentence each.
        interrupted: not everything that was planned was computed.
        form: what kind of input it is.
        facets: the verdict in other coordinates, by domain.
        counterfactuals: the smallest changes that would turn the verdict.
        dependence: how far the regions' values depend on the baseline, or None.
        patches: what the cells of a patch discriminator say, or None.
        labels: what a conditional critic says under every label, or None.
    """

    name: str
    image: Tensor
    verdict: Verdict
    side: str
    attributions: Mapping[str, Attribution]
    trusts: Mapping[str, Trust]
    regions: Tensor
    critic: Mapping[str, Any]
    plan: Plan
    notes: tuple[str, ...] = field(default=())
    interrupted: bool = False
    form: Form = IMAGES
    facets: Mapping[str, Facet] = field(default_factory=dict)
    counterfactuals: tuple[Counterfactual, ...] = ()
    dependence: Dependence | None = None
    patches: PatchMap | None = None
    labels: LabelReading | None = None

    @property
    def primary(self) -> Attribution:
        """The attribution of the plan's first method that was computed."""
        return next(iter(self.attributions.values()))

    @property
    def word(self) -> str:
        """The title's word of the primary attribution: "RELIABLE", "CHECK" or "NOT RELIABLE"."""
        known = self.trusts.get(self.primary.method)
        word = "CHECK" if known is None else known.word
        return "CHECK" if self.interrupted and word == "RELIABLE" else word

    def totals(self, method: str | None = None) -> Tensor:
        """(P,) value of each region (or feature, or span) by a method, the primary one by default."""
        found = self.primary if method is None else self.attributions[method]
        return region_totals(found, self.regions)

    def __repr__(self) -> str:
        judged = "fake" if bool(self.verdict.is_fake[0]) else "real"
        more = [f"{name} {facet.word}" for name, facet in self.facets.items()]
        more += [f"{one.kind} {'turns' if one.flipped else 'does not turn'} it" for one in self.counterfactuals]
        told = [f"logit {float(self.verdict.logit[0]):.2f}", self.word, *more]
        return f"Explanation({self.name!r} judged {judged}, {', '.join(told)})"

    def _repr_html_(self) -> str:
        """The verdict, the words and the pictures, for notebooks; `ganexplain.Report` is the whole page."""
        from ganexplain.explanation.summary import html

        return html(self)


def describe(critic: Critic) -> dict[str, Any]:
    """What is known of a critic, JSON-able."""
    known, reference, network = critic.calibration, critic.reference, critic.network
    return {
        "output": critic.kind,
        "polarity": critic.polarity,
        "unit": critic.unit,
        "tail": critic.tail,
        "threshold": critic.threshold,
        "about": None if critic.about is None else critic.about.to_dict(),
        "health": critic.health,
        "label": critic.label,
        "class": critic.class_names[critic.label] if critic.class_names and critic.label is not None else None,
        "slope": known.slope if known else None,
        "auc": known.auc if known else None,
        "auc_reals": known.n_real if known else None,
        "auc_fakes": known.n_fake if known else None,
        "pooled": known.pooled if known else False,
        "real_share": known.real_share if known else None,
        "reals": len(reference.images) if reference else 0,
        "real_logits": list(reference.range) if reference else None,
        "real_quantiles": torch.quantile(reference.logits.double().cpu(), QUANTILES).tolist() if reference else None,
        "size": list(critic.preprocess.shape) if critic.preprocess.shape else None,
        "value_range": list(critic.preprocess.value_range),
        "fingerprint": store.fingerprint(network.state_dict()) if isinstance(network, nn.Module) else None,
    }
