"""Sets of baselines: the explanation is the mean over them."""

from __future__ import annotations

import pytest
import torch

from ganexplain import Critic, IntegratedGradients, KernelShap, Region
from ganexplain.attribution.baselines import baselines_in, origin_of
from ganexplain.attribution.baselines.reals import Reals
from tests._critics import SIDE, Linear, Spy, critic, images

SET = images(3, seed=7).double()[None]  # (1, 3, C, H, W)


@pytest.mark.parametrize("each", [False, True], ids=["shared", "one set an image"])
def test_a_linear_critic_gives_weight_times_distance_from_the_mean(each: bool) -> None:
    weight = torch.randn(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1)).double()
    x = images(2).double()
    many = torch.cat([SET, SET.flip(1) * 0.5]) if each else SET
    on = Critic(Linear(weight)).double()
    found = IntegratedGradients(on, baseline=many).attribute(x, side="real")
    exact = weight * (x - many.mean(1))
    assert torch.allclose(found.values, exact, atol=1e-10)
    assert float(found.gap.abs().max()) < 1e-10
    assert torch.allclose(found.origins, many.mean(1).expand(x.shape))
    assert torch.allclose(found.origin_logit, on(many.flatten(0, 1)).view(len(many), 3).mean(1).expand(2))


def test_the_mean_over_single_baselines() -> None:
    on, x = critic("plain").double(), images(2).double()
    run = IntegratedGradients(on, baseline=SET)
    alone = [run.variant(baseline=one[None]).attribute(x) for one in SET[0]]
    found = run.attribute(x)
    assert torch.allclose(found.values, torch.stack([a.values for a in alone]).mean(0), atol=1e-12)
    assert torch.equal(found.evaluations, sum(a.evaluations - 3 for a in alone) + 2 + len(alone))
    assert torch.allclose(found.gap, torch.stack([a.gap for a in alone]).mean(0), atol=1e-12)


def test_errors_of_independent_draws_shrink() -> None:
    on, x = critic("plain").double(), images(1).double()
    run = KernelShap(on, domain=Region(n_segments=16), max_evaluations=1000)
    same = images(1, seed=7).double()
    one = run.variant(baseline=same).attribute(x)
    four = run.variant(baseline=same[None].expand(1, 4, *same.shape[1:])).attribute(x)  # four times the same one
    ratio = float(four.error.norm() / one.error.norm())
    assert ratio == pytest.approx(0.5, abs=0.1)
    spread = float((four.values - one.values).norm() / one.values.norm())
    assert 0 < spread < 1  # other coalitions for each baseline


def test_the_reals_are_a_set_and_its_cost_is_known_before() -> None:
    spy = Spy(critic("plain").network)
    on = Critic(spy).with_reference(images(40, seed=5))
    origin = origin_of(on, images(2), "reals")
    assert origin.many is not None
    assert origin.many.shape == (1, 16, 1, SIDE, SIDE)
    assert origin.name == "reals"
    rows = {tuple(r.flatten().tolist()) for r in on.reference.images}
    assert {tuple(r.flatten().tolist()) for r in origin.many[0]} <= rows
    assert torch.equal(origin.images, origin.many.mean(1))
    run = KernelShap(on, baseline="reals", max_evaluations=60)
    on.fast(images(1))
    spy.seen.batches.clear()
    found = run.attribute(images(1))
    n = int(found.players.max()) + 1
    assert spy.seen.rows <= run.passes(n) == 16 * run.planned(n)
    assert [baselines_in(b) for b in (None, "blur", SET, Reals(5))] == [1, 1, 3, 5]


def test_a_wrong_shape_gets_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"a set of K of them \(1, K, ...\), got \(3, 2, 1, 8, 8\)"):
        origin_of(critic("plain"), images(2), torch.zeros(3, 2, 1, SIDE, SIDE))
