"""The judge learns while everything else stands still, and what its logit means is measured on fresh images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from ganexplain import store, tensors
from ganexplain.training.judge import calibrate, train_judge
from ganexplain.training.loop import DivergedError


def test_only_the_judge_learns(run: Any) -> None:
    before = store.fingerprint({**run.gan.generator.state_dict(), **run.gan.discriminator.state_dict()})
    steps = list(train_judge(run.gan, run.images, run.config))
    assert store.fingerprint({**run.gan.generator.state_dict(), **run.gan.discriminator.state_dict()}) == before
    assert len(steps) == run.config.judge.steps
    assert sum(s.loss for s in steps[-20:]) < 0.8 * sum(s.loss for s in steps[:20])
    assert run.gan.kinds == {"discriminator": "score", "judge": "logit"}
    assert not any(p.requires_grad for p in run.gan.judge.parameters())
    assert not run.gan.judge.training


def test_the_same_seed_gives_the_same_judge(run: Any) -> None:
    found = []
    for _ in range(2):
        config = replace(run.config, judge=replace(run.config.judge, steps=5))
        list(train_judge(run.gan, run.images, config))
        found.append(store.fingerprint(run.gan.judge.state_dict()))
    assert found[0] == found[1]


def test_no_steps_make_no_judge(run: Any) -> None:
    config = replace(run.config, judge=replace(run.config.judge, steps=0))
    assert list(train_judge(run.gan, run.images, config)) == []
    assert run.gan.judge is None
    assert set(calibrate(run.gan, run.data.images[run.split.held_out])) == {"discriminator"}


def test_the_auc_is_that_of_scikit_learn_on_halves_that_fitted_nothing(run: Any) -> None:
    from sklearn.metrics import roc_auc_score

    list(train_judge(run.gan, run.images, run.config))
    held_out = run.data.images[run.split.held_out]
    facts = calibrate(run.gan, held_out, seed=3)
    for name in ("judge", "discriminator"):
        known = run.gan.calibrations[name]
        assert facts[name]["auc"] == known.auc
        assert known.n_real == len(held_out) - len(held_out) // 2
        # the halves again, by the documented stream
        real, fake = tensors.from_uint8(held_out), fresh(run.gan, len(held_out), 3)
        halves = []
        for kind, batch in (("real", real), ("fake", fake)):
            order = torch.from_numpy(tensors.rng(3, "calibrate", kind).permutation(len(batch)))
            halves.append(run.gan.critic(name).logits(batch)[order][len(batch) // 2 :])
        truth = [1] * len(halves[0]) + [0] * len(halves[1])
        assert known.auc == pytest.approx(roc_auc_score(truth, torch.cat(halves).numpy()))


def fresh(gan: Any, n: int, seed: int) -> torch.Tensor:
    return gan.samples(n, seed=int(tensors.rng(seed, "fresh fakes").integers(2**31)))


def test_the_judge_tells_more_than_the_discriminator(run: Any) -> None:
    list(train_judge(run.gan, run.images, run.config))
    facts = calibrate(run.gan, run.data.images[run.split.held_out])
    assert facts["judge"]["auc"] > facts["discriminator"]["auc"]
    assert facts["judge"]["logit_real"] > facts["judge"]["logit_fake"]
    assert facts["judge"]["saturated"] == 0.0


def test_a_judge_that_is_not_finite_ends_at_once(run: Any) -> None:
    with torch.no_grad():
        run.gan.discriminator.head.bias.fill_(float("inf"))
    with pytest.raises(DivergedError, match="judge's loss at step 1"):
        list(train_judge(run.gan, run.images, run.config))


def test_a_critic_that_knows_nothing_is_unsure_and_no_error(run: Any) -> None:
    with torch.no_grad():
        run.gan.discriminator.head.weight.neg_()  # now fakes score higher
    reals = run.data.images[run.split.held_out]
    facts = calibrate(run.gan, reals)
    assert facts["discriminator"]["auc"] < 0.5
    assert run.gan.calibrations["discriminator"].slope == 0
    verdict = run.gan.critic("discriminator").judge(tensors.from_uint8(reals))
    assert verdict.unsure.all()
    assert (verdict.probability == 0.5).all()


def test_other_faults_of_a_critic_are_not_taken_for_ignorance(run: Any) -> None:
    with pytest.raises(ValueError, match="at least 20 reals"):
        calibrate(run.gan, run.data.images[:5])
