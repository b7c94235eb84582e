"""Every check can pass, fail and be impossible; the word follows from them."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor

from ganexplain import Critic, IntegratedGradients, KernelShap, Lime, Occlusion, Pixel, Saliency
from ganexplain.attribution.attribution import Attribution
from ganexplain.attribution.chart import Chart
from ganexplain.evaluation import trust
from ganexplain.evaluation.faithfulness import Orders, orders
from ganexplain.evaluation.trust import FAIL, NONE, PASS, VITAL, Check, Trust
from ganexplain.models.verdict import Verdict
from tests._critics import critic, images
from tests._games import player, whole

NAMES = ("contrast", "completeness", "convergence", "deletion", "agreement", "randomisation", "specificity")


def checks(**status: str) -> Trust:
    return Trust(tuple(Check(name, status.get(name, PASS), None, None, "") for name in NAMES))


def weights(n: int = 12) -> tuple[Tensor, Orders]:
    weight = torch.randn(n, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return weight, orders(chart_of(weight), "real")


def chart_of(weight: Tensor) -> Chart:
    """Players whose worths add up."""
    return Pixel().bind(Critic(player(lambda keep: keep.double() @ weight)), whole(len(weight)), "black")


@pytest.mark.parametrize("status", list(product([PASS, FAIL, NONE], repeat=4)))
def test_the_word(status: tuple[str, ...]) -> None:
    given = dict(zip(("completeness", *VITAL), status, strict=True))
    found = checks(**given)
    vital = [given[name] for name in VITAL]
    if FAIL in vital:
        assert found.word == "NOT RELIABLE"
    elif given["completeness"] == FAIL or PASS not in vital:
        assert found.word == "CHECK"
    else:
        assert found.word == "RELIABLE"


def test_the_summary_counts_what_was_run() -> None:
    assert checks().summary == "7 of 7 checks passed"
    assert checks(deletion=FAIL, agreement=NONE).summary == "5 of 6 checks passed, 1 not applicable"
    assert checks(agreement=FAIL)["agreement"].status == FAIL


def explained(kind: type, **given: object) -> Attribution:
    return kind(critic("plain"), baseline="black", **given).attribute(images(1))


def test_contrast() -> None:
    found = explained(KernelShap)
    verdict, logit = found.verdict, float(found.verdict.logit[0])

    def against(origin: float, threshold: float, unit: str = "logit") -> trust.Check:
        judged = Verdict(verdict.logit, threshold, None, None)
        given = {"verdict": judged, "origin_logit": torch.tensor([origin]), "unit": unit}
        return trust.contrast(Attribution(**{**vars(found), **given}))

    assert against(logit - 2, logit - 1).value == pytest.approx(2)  # a fake baseline of a real
    assert against(logit + 2, logit + 1).value == pytest.approx(2)  # a real baseline of a fake
    assert against(logit - 0.6, logit - 1).status == PASS  # both real, but most of the verdict lies between them
    assert against(logit - 0.4, logit - 1).status == FAIL
    assert against(logit + 0.4, logit + 1).status == FAIL
    assert against(logit + 2, logit - 1).status == FAIL  # the baseline is more real than the real image
    assert against(logit - 2, logit - 1, "score").status == NONE
    assert against(logit - 2, logit).status == NONE


def test_completeness() -> None:
    found = explained(KernelShap)
    assert trust.completeness(found, 0.0, 0.05).status == PASS
    spoiled = Attribution(**{**vars(found), "gap": found.change.double() * 0.2})
    failed = trust.completeness(spoiled, 0.0, 0.05)
    assert failed.status == FAIL
    assert failed.value == pytest.approx(0.2 * abs(float(found.change)))
    assert failed.threshold == pytest.approx(0.05 * abs(float(found.change)))
    assert "20.0%" in failed.sentence
    assert trust.completeness(spoiled, 10 * abs(float(found.change)), 0.05).status == PASS  # within the reals' spread
    assert trust.completeness(explained(Lime), 0.0, 0.05).status == NONE


def test_convergence() -> None:
    done = explained(IntegratedGradients)
    assert trust.convergence(done).status == PASS
    assert f"{int(done.evaluations)}" in trust.convergence(done).sentence
    assert trust.convergence(explained(IntegratedGradients, tol=1e-12, max_evaluations=30)).status == FAIL
    sampled = explained(KernelShap)
    assert 0 < trust.convergence(sampled).value < 0.25
    assert trust.convergence(sampled).status == PASS
    noisy = Attribution(**{**vars(sampled), "error": sampled.totals().double().abs()})
    assert trust.convergence(noisy).status == FAIL
    assert trust.convergence(noisy).value == pytest.approx(1.0)
    exact = Attribution(**{**vars(sampled), "error": torch.zeros_like(sampled.error)})
    assert "every coalition" in trust.convergence(exact).sentence
    assert trust.convergence(explained(Occlusion)).status == NONE
    assert trust.convergence(explained(Saliency)).status == NONE


def test_deletion() -> None:
    weight, random = weights()
    assert trust.deletion(weight, random).status == PASS
    assert trust.deletion(weight, random).value == 1.0
    assert trust.deletion(-weight, random).status == FAIL
    assert trust.deletion(torch.zeros(12), random).status == FAIL
    first = torch.zeros(12, dtype=torch.float64)
    first[7] = 1.0
    alone = orders(chart_of(first), "real")
    assert trust.deletion(first, alone).value < 1.0  # one of twelve random orders begins alike
    assert trust.deletion(first, alone, "bands", common=True).value == 1.0
    assert trust.deletion(-first, alone, "bands", common=True).status == FAIL
    assert trust.deletion(first, orders(chart_of(0 * first), "real"), common=True).value == 0.5
    assert "removing the bands" in trust.deletion(first, alone, "bands").sentence
    assert trust.deletion(weight, None).status == NONE


def test_agreement() -> None:
    weight, _ = weights()
    found = trust.agreement(weight, weight + 0.1 * weight.flip(0), "lime", 0)
    assert found.status == PASS
    assert "lime" in found.sentence
    assert trust.agreement(weight, -weight, "lime", 0).status == FAIL
    assert trust.agreement(weight, torch.ones(12), "lime", 0).status == FAIL
    alone = torch.zeros(9, dtype=torch.float64)
    alone[3] = 1.0
    noise = 1e-6 * torch.randn(9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert trust.agreement(alone + noise, alone - noise, "lime", 0).status == PASS  # rounding has no order
    assert trust.agreement(alone, alone.roll(1), "lime", 0).status == FAIL
    assert trust.agreement(weight, None, "", 0).status == NONE
    assert trust.agreement(weight[:3], weight[:3], "lime", 0).status == NONE


def test_randomisation() -> None:
    weight, _ = weights()
    other = torch.randn(5, 12, generator=torch.Generator().manual_seed(0))
    assert trust.randomisation(weight, [-weight, *other]).status == PASS
    failed = trust.randomisation(weight, [weight] * 5)
    assert failed.status == FAIL
    assert failed.value == pytest.approx(1.0)
    mixed = trust.randomisation(weight, [weight, -weight, weight, -weight])
    assert mixed.value == pytest.approx(0.0)
    assert mixed.status == PASS
    assert trust.randomisation(weight, None).status == NONE
    assert trust.randomisation(weight[:3], [weight[:3]]).status == NONE


def test_specificity() -> None:
    weight, random = weights()
    other = list(torch.randn(10, 12, generator=torch.Generator().manual_seed(0)))
    assert trust.specificity(weight, other, random).status == PASS
    assert trust.specificity(other[0].double(), [weight] * 9, random).status == FAIL
    assert trust.specificity(weight, [weight] * 4, random).value == 0.5  # another image's map is just as good
    assert trust.specificity(weight, [weight] * 4, random, common=True).value == 1.0  # and may be, of bands
    assert trust.specificity(other[0].double(), [weight] * 9, random, common=True).status == FAIL
    assert trust.specificity(weight, None, random).status == NONE
    assert trust.specificity(weight, other, None).status == NONE


def test_sentences_are_sentences() -> None:
    weight, random = weights()
    found = explained(KernelShap)
    for check in (
        trust.completeness(found, 0.0, 0.05),
        trust.convergence(found),
        trust.deletion(weight, random),
        trust.agreement(weight, weight, "lime", 0),
        trust.randomisation(weight, [weight]),
        trust.specificity(weight, [weight], random),
    ):
        assert check.name in NAMES
        assert len(check.sentence) > 20
        assert "\n" not in check.sentence
