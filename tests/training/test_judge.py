"""The judge learns while everything else stands still, and what its logit means is measured on fresh images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from ganexplain import store, tensors
from ganexplain.models.gan import GAN
from ganexplain.training.judge import calibrate, train_judge
from ganexplain.training.loop import DivergedError
from ganexplain.training.sampler import Sampler


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


def conditional(run: Any) -> Any:
    """A conditional GAN for the digits of the run: its generator is what it was built as, a judge tells it at once."""
    gan = GAN.build("dcgan", resolution=8, channels=1, z_dim=8, width=4, num_classes=10)
    gan.generator.eval().requires_grad_(False)
    return gan


def labels_of(run: Any, part: str) -> torch.Tensor:
    return run.data.labels[getattr(run.split, part)]  # type: ignore[no-any-return]


def test_the_judge_sees_fakes_under_the_labels_of_the_reals(run: Any) -> None:
    gan, own = conditional(run), labels_of(run, "train")
    config = replace(run.config, judge=replace(run.config.judge, steps=2, batch=16))
    judged, drawn = [], []
    gan.discriminator.register_forward_pre_hook(lambda _m, given: judged.append(given))  # copied into the judge
    gan.generator.register_forward_pre_hook(lambda _m, given: drawn.append(given))
    list(train_judge(gan, run.images, config, labels=own))
    rows = Sampler(len(run.images), 16, config.run.seed).draw(1)
    (real, real_labels), (fake, fake_labels) = judged[:2]
    assert torch.equal(real, tensors.from_uint8(run.images[rows]))
    assert torch.equal(real_labels, own[rows])
    assert torch.equal(fake_labels[:16], own[rows])
    assert torch.equal(drawn[0][1], own[rows])
    torch.testing.assert_close(fake[:16].detach(), gan.generator(drawn[0][0], own[rows]))
    assert torch.equal(fake[16:], real[:2])  # an eighth is shown again under labels that are not theirs
    assert (fake_labels[16:] != own[rows[:2]]).all()


def test_mismatches_are_every_other_label_alike() -> None:
    from ganexplain.training.judge import _others

    labels = torch.arange(4).repeat(5000)
    wrong = _others(labels, 4, 0, 1)
    counts = torch.bincount(4 * labels + wrong, minlength=16).reshape(4, 4)
    assert (counts.diagonal() == 0).all()
    off = counts[~torch.eye(4, dtype=torch.bool)].double() / 5000
    torch.testing.assert_close(off, torch.full((12,), 1 / 3).double(), rtol=0, atol=0.03)
    assert torch.equal(wrong, _others(labels, 4, 0, 1))
    assert not torch.equal(wrong, _others(labels, 4, 0, 2))
    assert len(_others(labels, 1, 0, 1)) == 0


def test_a_conditional_judge_tells_labels_apart(run: Any) -> None:
    """Fakes of the right class teach no labels, so that without mismatches this is a matter of chance."""
    from ganexplain.models.labelled import reading

    gan, own = conditional(run), labels_of(run, "train")
    config = replace(run.config, judge=replace(run.config.judge, steps=150, batch=64))
    list(train_judge(gan, run.images, config, labels=own))
    gan.reals, gan.real_labels = run.data.images[run.split.held_out], labels_of(run, "held_out")
    found = reading(gan.critic("judge", 3), tensors.from_uint8(gan.reals[:1]))
    assert found.matched is not None
    assert found.matched > 0.85
    assert not found.deaf


def test_a_conditional_judge_learns_what_the_labels_say(run: Any) -> None:
    """Fakes that are reals under the next label: only who reads labels tells them from reals."""
    gan, own = conditional(run), labels_of(run, "train")
    images = tensors.from_uint8(run.images)

    class Mislabelled(type(gan.generator)):  # type: ignore[misc]
        def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
            draw = torch.stack([torch.nonzero(own == (int(y) + 1) % 10)[int(abs(c[0]) * 9), 0]
                                for c, y in zip(z, labels, strict=True)])  # type: ignore[arg-type]  # fmt: skip
            return images[draw]

    gan.generator.__class__ = Mislabelled
    config = replace(run.config, judge=replace(run.config.judge, steps=120, batch=32))
    steps = list(train_judge(gan, run.images, config, labels=own))
    assert sum(s.accuracy for s in steps[-20:]) / 20 > 0.75
    facts = calibrate(gan, run.data.images[run.split.held_out], labels=labels_of(run, "held_out"))
    assert (facts["judge"]["auc"] or 0) > 0.8
    assert gan.calibrations["judge"].pooled
    assert gan.critic("judge", 4).calibration == gan.calibrations["judge"]


def test_calibration_pools_the_classes_each_under_its_own_label(run: Any) -> None:
    from ganexplain.models.verdict import auc

    gan, own = conditional(run), labels_of(run, "held_out")
    held_out = run.data.images[run.split.held_out]
    facts = calibrate(gan, held_out, labels=own, seed=3)
    real, fake = tensors.from_uint8(held_out), gan.samples(len(held_out), seed=fresh_seed(3), labels=own)
    with torch.no_grad():
        on_real, on_fake = gan.discriminator(real, own), gan.discriminator(fake, own)
    assert facts["discriminator"]["logit_real"] == pytest.approx(float(on_real.mean()), abs=1e-5)
    assert facts["discriminator"]["logit_fake"] == pytest.approx(float(on_fake.mean()), abs=1e-5)
    assert facts["discriminator"]["auc"] == pytest.approx(auc(on_real, on_fake), abs=0.1)  # of other halves


def test_labels_must_fit(run: Any) -> None:
    gan, own = conditional(run), labels_of(run, "train")
    with pytest.raises(ValueError, match="is conditional and needs the classes"):
        list(train_judge(gan, run.images, run.config))
    with pytest.raises(ValueError, match="is conditional and needs the classes"):
        calibrate(gan, run.images)
    with pytest.raises(ValueError, match=r"labels must be \(\d+,\) whole numbers from 0 to 9"):
        list(train_judge(gan, run.images, run.config, labels=own[:5]))
    with pytest.raises(ValueError, match="knows no classes"):
        list(train_judge(run.gan, run.images, run.config, labels=own))


def fresh_seed(seed: int) -> int:
    return int(tensors.rng(seed, "fresh fakes").integers(2**31))
