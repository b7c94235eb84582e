"""How far an explanation depends on its baseline: against critics for which the answer is known."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from scipy.stats import spearmanr

from ganexplain import Critic, IntegratedGradients, KernelShap, Region
from ganexplain.attribution.baselines import origin_of
from ganexplain.attribution.baselines.noise import Noise
from ganexplain.evaluation.agreement import chance_level
from ganexplain.evaluation.dependence import Dependence, contrasting, dependence
from tests._critics import Linear, Spy, critic, critic_of_form, images, inputs

MASK = (torch.arange(8)[:, None] // 2) * 4 + torch.arange(8)[None] // 2  # 16 regions
WEIGHT = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("side", ["real", "fake"])
def test_of_a_linear_critic_it_is_that_of_the_baselines_themselves(side: str) -> None:
    on, x = Critic(Linear(WEIGHT)), images(1)
    baselines = [images(1, seed=s) for s in (3, 4)] + ["black"]
    found = dependence(IntegratedGradients(on), x, MASK, side=side, baselines=baselines)
    sign = 1 if side == "real" else -1
    values = [sign * WEIGHT[0, 0] * (x - (torch.full_like(x, -1.0) if b == "black" else b))[0, 0] for b in baselines]
    totals = [torch.zeros(16).index_add(0, MASK.flatten(), v.flatten()) for v in values]
    exact = [spearmanr(totals[i], totals[j]).statistic for i, j in ((0, 1), (0, 2), (1, 2))]
    assert found.correlations == pytest.approx(exact, abs=1e-6)
    best = [int(t.argmax()) for t in totals]
    assert found.kept == (sum(b == best[0] for b in best[1:])) / 2
    assert found.baselines == ("given", "given", "black")
    origins = [*baselines[:2], torch.full_like(x, -1.0)]
    assert found.logits == pytest.approx([float(on.logits(o)) for o in origins], abs=1e-5)
    assert (found.method, found.parts, found.part) == ("integrated_gradients", 16, "region")
    assert found.chance == pytest.approx(chance_level(totals[0], totals[1]))


def test_a_baseline_that_does_not_matter() -> None:
    x = (MASK / 20)[None, None]
    offset = [torch.full_like(x, level) for level in (-0.9, -0.8, -0.7)]
    half = (MASK >= 8).float()  # the other regions say nothing, and rounding errors are no ranks
    shap = KernelShap(Critic(lambda v: (v * half).flatten(1).sum(1)), domain=Region(MASK))
    found = dependence(shap, x, None, side="real", baselines=offset)
    assert found.word == "much the same"
    assert found.kept == 1
    assert found.correlations == pytest.approx((1, 1, 1))
    assert found.parts == 16


def test_little_effort_and_no_more_than_is_needed() -> None:
    spy = Spy(critic("plain").network)
    run = KernelShap(Critic(spy), domain=Region(MASK), max_evaluations=4000)
    dependence(run, images(1), None, side="fake", baselines=["blur", "black"])
    assert sum(spy.seen.batches) < 2 * 256 + 40
    assert run.max_evaluations == 4000
    assert max(spy.seen.batches) <= 64


def test_what_cannot_be_compared() -> None:
    run = KernelShap(critic("plain"), domain=Region(MASK))
    with pytest.raises(ValueError, match="at least two baselines are needed to compare them, got 1"):
        dependence(run, images(1), None, side="fake", baselines=["blur"])
    with pytest.raises(ValueError, match="of one image, got 2"):
        dependence(run, images(2), None, side="fake", baselines=["blur", "black"])
    with pytest.raises(ValueError, match="unknown side"):
        dependence(run, images(1), None, side="left", baselines=["blur", "black"])


def test_words() -> None:
    known = Dependence(("nearest_real", "blur", "inpaint"), (1, 2, 3), (0.9, 0.8, 0.1), 0.5, "kernel_shap", 16, 0.44)
    assert known.word == "much the same"
    assert known.sentence == (
        "Other baselines tell much the same: the rank correlation of the 16 regions from nearest real is +0.90 with "
        "blur, +0.80 with inpaint; chance alone stays below +0.44 in 95 % of cases; the region that speaks most stays "
        "first with 1 of 2."
    )
    assert replace(known, correlations=(0.9, 0.4, 0.9)).word == "in part the same"
    assert replace(known, correlations=(0.4, -0.1, 0.9)).word == "a different story"
    assert replace(known, correlations=(0.8, 0.75, 0.9), chance=0.9).word == "a different story"  # of very few parts
    bare = Dependence(("blur", "black"), (0, 0), (0.3,), 1.0, "lime")
    assert math.isnan(bare.chance)
    assert "the rank correlation of the regions from blur is +0.30 with black; the region" in bare.sentence


def test_contrasting_takes_what_leaves_a_verdict_to_explain() -> None:
    x = images(1)

    def rough(v: torch.Tensor) -> torch.Tensor:
        return (v[..., 1:] - v[..., :-1]).abs().flatten(1).mean(1)

    def edges(v: torch.Tensor) -> torch.Tensor:  # plain and smooth images are real, noise is not
        return rough(x) / 2 - rough(v)

    on = Critic(edges)
    assert bool(on.judge(x).is_fake[0])
    found = contrasting(on, x, "fake", "black")
    assert [b.name for b in found] == ["black", "blur", "inpaint"]
    calm = x * 0.1
    found = contrasting(on, calm, "real", "blur")
    assert not bool(on.judge(calm).is_fake[0])
    assert found[0].name == "blur"
    assert len({b.name for b in found}) == 3
    known = on.with_reference(images(9, seed=5) * 0.1)
    assert [b.name for b in contrasting(known, x, "fake", None)] == ["nearest_real", "blur", "inpaint"]
    assert [b.name for b in contrasting(known, x, "fake", "inpaint")] == ["inpaint", "nearest_real", "blur"]
    assert len(contrasting(known, x, "fake", None, n=5)) == 5
    noise = next(b for b in contrasting(on, x, "fake", "blur", n=9) if b.name == "noise")
    assert torch.equal(noise.made, origin_of(on, x, Noise(4)).many)


def test_a_baseline_that_is_another_one_is_not_compared_with_it() -> None:
    on = Critic(lambda v: v.flatten(1).mean(1) * 5 + 1)
    plain = torch.full((1, 1, 8, 8), 0.5)  # blurred, in-painted or scrambled it stays what it is
    assert [b.name for b in contrasting(on, plain, "real", "blur")] == ["blur", "zero", "black"]


def test_rows_and_signals() -> None:
    rows = critic_of_form("table").with_reference(inputs("table", 12, seed=3))
    x = inputs("table", 1)
    found = contrasting(rows, x, "fake", None)
    assert found[0].name == "nearest_real"
    assert len(found) == 3
    told = dependence(KernelShap(rows), x, None, side="fake", baselines=found)
    assert told.parts == len(rows.form.players)
    assert "features from nearest real" in rows.form.told(told.sentence)
    assert [b.name for b in contrasting(critic_of_form("table"), x, "fake", "zero")] == ["zero"]
    line = critic_of_form("signal")
    assert len(contrasting(line, inputs("signal", 1), "fake", None)) == 3
