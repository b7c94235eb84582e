"""Every preset: fifty steps on tiny data, export, reload, judge, directions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ganexplain.data.sets import open_data
from ganexplain.data.splits import split
from ganexplain.latent.finders import FINDERS
from ganexplain.models.gan import GAN
from ganexplain.training import config as configs
from ganexplain.training.building import build
from ganexplain.training.export import finish, save
from ganexplain.training.judge import train_judge
from ganexplain.training.loop import train

SMALL = {
    "dcgan": ["model.width=4", "model.z_dim=8"],
    "sngan": ["model.width=4", "model.z_dim=8"],
    "r3gan": ["model.width=8", "model.z_dim=8", "run.burn_in=0.5"],
    "mlp": ["model.widths=[16, 16]", "model.z_dim=8"],
}
COMMON = ["run.steps=50", "run.batch=8", "judge.steps=4", "judge.batch=8"]
WALKED: dict[str, dict[str, int]] = {  # the finders, with as few codes as will do
    "sefa": {},
    "ganspace": {"n_samples": 64},
    "jacobian": {"n_samples": 2},
    "coordinate": {"n_samples": 4},
    "random": {},
}


@pytest.mark.parametrize("preset", configs.presets())
def test_a_preset_makes_a_gan_that_is_kept_judged_and_walked(preset: str, tmp_path: Path) -> None:
    family = str(configs.load(preset).model["family"])
    config = configs.load(preset, [*SMALL[family], *COMMON])
    data = open_data("ring-8" if preset == "rows" else "digits")
    parts = split(data)
    images = data.images[parts.train]
    labels = data.labels[parts.train] if config.conditional and data.labels is not None else None
    gan = build(config, data, parts)
    steps = list(train(gan, images, config, labels=labels))
    assert len(steps) == 50
    assert all(step.finite for step in steps)
    list(train_judge(gan, images, config, labels=labels))
    again = GAN.load(save(finish(gan, data, parts, config, steps=50, quality={}), tmp_path))

    assert again.fingerprint == gan.fingerprint
    samples = gan.samples(6, seed=3)
    assert torch.equal(again.samples(6, seed=3), samples)
    label = 3 if config.conditional else None
    for name in gan.critics:
        mine, theirs = (g.critic(name, label=label).judge(samples) for g in (gan, again))
        assert torch.equal(mine.logit, theirs.logit)
        assert torch.isfinite(mine.logit).all()

    generator = again.generator if label is None else again.generator.given(label)
    codes = generator.sample(4, seed=0)
    for name, options in WALKED.items():
        found = FINDERS.get(name)(n_directions=2, **options).fit(generator, seed=0).directions_
        walked = found.traverse(generator, codes, index=0, amounts=[-2.0, 2.0])
        assert walked.shape[:2] == (4, 2)
        assert torch.isfinite(walked).all()
        assert not torch.equal(walked[:, 0], walked[:, 1])
