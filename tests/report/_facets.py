"""Explanations in other coordinates, with changes, patches and labels, made by hand for the tests of reports."""

from __future__ import annotations

import dataclasses
from functools import lru_cache

import torch

from ganexplain.attribution.attribution import Attribution
from ganexplain.attribution.counterfactuals import Counterfactual
from ganexplain.attribution.domains.frequency import Frequency
from ganexplain.attribution.methods.kernel_shap import KernelShap
from ganexplain.evaluation.dependence import Dependence
from ganexplain.evaluation.trust import Check, Trust
from ganexplain.explanation import Explanation, Facet
from ganexplain.models.labelled import LabelReading
from ganexplain.models.patches import PatchMap
from tests.report._made import SIZE, critic, explanation, images

CHECKS = ("deletion", "randomisation", "specificity")


def trust(*failed: str) -> Trust:
    """Vital checks, those named failed."""
    said = "removing the regions in the map's order beats 96.0% of 20 random orders"
    return Trust(tuple(Check(n, "fail" if n in failed else "pass", 0.96, 0.95, said) for n in CHECKS))


@lru_cache
def frequency(*failed: str) -> Facet:
    """Three bands and DC, by Shapley values of the tiny judge."""
    judge, image = critic(), images(1)
    domain = Frequency(bands=3)
    method = KernelShap(judge, domain=domain, baseline="blur")
    found = method.attribute(image, side=explanation().side)
    without = domain.bind(judge, image, "blur")
    shown = without.image(without.without(0), torch.zeros(4, dtype=torch.long))
    facts = {"transform": "dct", "bands": found.params["bands"]}
    arrays = {"frequency": torch.arange(7.0), "radial": torch.linspace(2, -3, 7)}
    arrays |= {"radial_baseline": torch.linspace(2, -6, 7), "radial_reals": torch.linspace(2, -3, 21).reshape(3, 7)}
    arrays |= {"radial_outside": torch.tensor([0.0, 0, 0, 0, 1, 1, 0])}
    return Facet(
        "frequency", found.names, {found.method: found}, {found.method: trust(*failed)}, shown,
        judge.logits(shown), facts, arrays,
    )  # fmt: skip


@lru_cache
def latent(quality: str = "", rest: float = 0.4, *failed: str) -> Facet:
    """Two named directions and the rest."""
    first = explanation().primary
    values = torch.tensor([[1.5, -0.5, rest, 0.0]])
    names = ("smile <b>", "direction 2", "the rest")
    changes = {
        "values": values, "players": torch.tensor([[0, 1, 2, 2]]), "domain": "latent", "names": names,
        "error": torch.tensor([[0.1, 0.1, 0.05]]), "baseline": "32 random codes", "method": "kernel_shap",
    }  # fmt: skip
    found = Attribution(**{**vars(first), **changes})
    facts = {"space": "z", "inverted": bool(quality), "rest": 0.2, "directions": list(names)}
    if quality:
        facts |= {"quality": quality, "psnr": 14.25, "error": 0.31, "logit": -3.25, "logit_inverted": -0.75}
    return Facet("latent", names, {found.method: found}, {found.method: trust(*failed)}, images(3, 5),
                 torch.tensor([0.5, -1.5, -1.0]), facts, {"code": torch.ones(1, 4)})  # fmt: skip


def change(
    kind: str = "pixel_l2", visible: str = "none", *, flipped: bool = True, size: float = 0.01
) -> Counterfactual:
    """A change by hand."""
    image = images(1)
    side = -1 if bool(explanation().verdict.is_fake[0]) else 1
    steps = (("region 2 (upper left)", 0.1), ("region 1 (centre)", 0.4)) if kind == "regions" else ()
    regions = {"order": [{"label": 1}, {"label": 0}], "regions": 9, "baseline": "blur"} if steps else {}
    return Counterfactual(
        kind, image, (image + size).clamp(-1, 1), flipped, (side * 2.0, -side * 0.5 if flipped else side * 1.0), 0.2,
        {"rms": size, "l1": 1.44, "l2": 0.12, "max": 2 * size, "share": 1.0},
        ((0.0, side * 2.0), (0.5, side * 1.0), (1.0, -side * 0.5)), visible, 77, steps, 1.3, ("a <i>note</i>",),
        {"to": "real", **regions},
    )  # fmt: skip


PATCHES = PatchMap(
    torch.tensor([[-2.0, 1.0], [3.0, 0.5]]),
    torch.linspace(-2, 3, SIZE * SIZE).reshape(SIZE, SIZE),
    torch.tensor([[[0, 0, 8, 8], [0, 4, 8, 12]], [[4, 0, 12, 8], [4, 4, 12, 12]]]),
    False,
    0.2,
    size=(8, 8),
)
LABELS = LabelReading(1, torch.tensor([-1.0, -2.0, 3.0]), 0.2, -2.0, 0.75)
DEPENDENCE = Dependence(("blur", "nearest_real", "black"), (0.3, 2.0, -1.0), (0.6, 0.1, 0.2), 0.5, "kernel_shap")


def whole(name: str = "a.png", **changes: object) -> Explanation:
    """An explanation with every section of a page."""
    changes_ = change(), change("regions", "plain", size=0.2), change("latent_change", "faint", flipped=False)
    everything = {
        "facets": {"frequency": frequency(), "latent": latent("poor")},
        "counterfactuals": changes_,
        "dependence": DEPENDENCE, "patches": PATCHES, "labels": LABELS,
    }  # fmt: skip
    return dataclasses.replace(explanation(name), **{**everything, **changes})
