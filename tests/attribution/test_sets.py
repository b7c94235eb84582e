"""Sets of baselines: the explanation is the mean over them."""

from __future__ import annotations

import pytest
import torch

from ganexplain import Critic, IntegratedGradients, KernelShap, PermutationShapley, Region
from ganexplain.attribution.baselines import baselines_in, origin_of
from ganexplain.attribution.baselines.reals import Reals
from ganexplain.attribution.methods._shapley import coalitions, combined
from tests._critics import SIDE, Linear, Spy, critic, images
from tests._games import covered, dividends, player

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


@pytest.mark.parametrize("kind", [KernelShap, PermutationShapley])
def test_a_set_shares_one_budget_and_each_baseline_has_draws_of_its_own(kind: type) -> None:
    on, x = critic("plain").double(), images(1).double()
    run = kind(on, domain=Region(n_segments=16), max_evaluations=2000)
    same = images(1, seed=7).double()
    one = run.variant(baseline=same).attribute(x)
    four = run.variant(baseline=same[None].expand(1, 4, *same.shape[1:])).attribute(x)  # four times the same one
    n = int(one.players.max()) + 1
    assert int(four.evaluations) == run.variant(baseline=same[None].expand(1, 4, *same.shape[1:])).passes(n)
    assert int(four.evaluations) <= int(one.evaluations) + 4 * 3
    assert float(four.error.norm() / one.error.norm()) == pytest.approx(1.0, abs=0.5)  # as many draws in all
    spread = float((four.values - one.values).norm() / one.values.norm())
    assert 0 < spread < 1  # other coalitions for each baseline


@pytest.mark.parametrize("kind", [KernelShap, PermutationShapley])
def test_standard_errors_over_a_set_cover_the_mean_game(kind: type) -> None:
    n, k = 13, 8
    run = kind(Critic(player(lambda keep: keep.sum(1))), max_evaluations=400)
    every, bits = coalitions(n), 2 ** torch.arange(n)
    errors, spreads = [], []
    for game in range(3):
        games = [dividends(n, 100 * game + i, terms=30) for i in range(k)]
        phi = torch.stack([one for one, _ in games]).mean(0)
        tables = [worth(every) - worth(every[:1]) for _, worth in games]
        for seed in range(30):
            fits = []
            for i, table in enumerate(tables):
                keep = run._draw(n, 1000 * seed + i, k)
                assert len(keep) == run._drawn(n, k)
                fits.append(run._fitted(keep, table[(keep * bits).sum(1)], float(table[-1])))
            value, error = combined(fits)
            errors.append(value - phi)
            spreads.append(error)
    error, spread = torch.stack(errors), torch.stack(spreads)
    assert 0.93 <= covered(error, spread) <= 0.975
    bias = error.view(3, 30, n).mean(1) / (error.view(3, 30, n).std(1) / 30**0.5)
    assert float(bias.abs().max()) < 4  # none that stands out of the noise


def test_few_players_are_enumerated_over_a_set() -> None:
    games = [dividends(5, seed, terms=20) for seed in range(3)]

    def worth(x: torch.Tensor) -> torch.Tensor:
        # the baselines differ in the second row of pixels, which is no player and picks the game
        keep, which = (x[:, 0, 0] + 1) / 2, x[:, 0, 1, 0]
        parts = torch.stack([game(keep) for _, game in games], 1)
        return parts.gather(1, which.round().long().clamp(0, 2)[:, None])[:, 0]

    many = torch.stack([torch.full((1, 2, 5), -1.0), *[torch.full((1, 2, 5), -1.0)] * 2]).double()
    for i in range(3):
        many[i, 0, 1] = i
    many = many.clamp(-1, 1)
    x = torch.ones(1, 1, 2, 5).double()
    mask = torch.stack([torch.arange(5), torch.full((5,), 5)])
    on = Critic(worth)
    found = KernelShap(on, domain=Region(mask), baseline=many[None], max_evaluations=50).attribute(x, side="real")
    alone = [KernelShap(on, domain=Region(mask), baseline=one[None]).attribute(x, side="real") for one in many]
    assert torch.allclose(found.values, torch.stack([a.values for a in alone]).mean(0), atol=1e-12)
    assert not found.error.any()
    assert int(found.evaluations) == 3 * 2**6 + 3 + 2


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
    assert spy.seen.rows <= run.passes(n) < 3 * 16 * 8 * n  # far from sixteen budgets
    assert [baselines_in(b) for b in (None, "blur", SET, Reals(5))] == [1, 1, 3, 5]


def test_a_wrong_shape_gets_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"a set of K of them \(1, K, ...\), got \(3, 2, 1, 8, 8\)"):
        origin_of(critic("plain"), images(2), torch.zeros(3, 2, 1, SIDE, SIDE))
