"""The family mlp: parameters counted by hand, any size, and dropout that trains and never judges."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from ganexplain.attribution.methods.integrated_gradients import IntegratedGradients
from ganexplain.data.sets import open_data
from ganexplain.data.splits import split
from ganexplain.models.families.mlp import MLP
from ganexplain.models.gan import GAN
from ganexplain.models.table import Table
from ganexplain.training.config import load
from ganexplain.training.export import finish
from ganexplain.training.judge import train_judge
from ganexplain.training.loop import train

SMALL = {"resolution": 8, "z_dim": 6, "widths": [16, 24], "critic_width": 4}


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_parameters_are_those_counted_by_hand() -> None:
    generator = (100 * 256 + 256) + (256 * 512 + 512) + (512 * 1024 + 1024) + (1024 * 784 + 784)
    discriminator = (25 * 1 * 64 + 64) + (25 * 64 * 64 + 64) + (64 * 7 * 7 + 1)
    assert (generator, discriminator) == (1_486_352, 107_265)
    assert count(MLP.generator()) == generator
    assert count(MLP.discriminator()) == discriminator


@pytest.mark.parametrize("resolution", [4, 8, 12, 28, 32, 64])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_shapes(resolution: int, channels: int) -> None:
    gan = GAN.build("mlp", **{**SMALL, "resolution": resolution, "channels": channels})
    images = gan.samples(3)
    assert images.shape == (3, channels, resolution, resolution)
    assert images.abs().max() <= 1
    assert gan.discriminator(images).shape == (3,)
    assert (gan.generator.resolution, gan.generator.channels, gan.generator.z_dim) == (resolution, channels, 6)


def test_a_code_first_meets_a_plain_linear_layer() -> None:
    generator = GAN.build("mlp", **SMALL).generator
    first = generator.first_layer()
    assert torch.equal(first.weight, generator.layers[0].weight)
    assert first.gain is None


def test_the_generator_is_its_formula() -> None:
    generator = MLP.generator(**SMALL)
    z = generator.sample(5, seed=1)
    linear = [m for m in generator.modules() if isinstance(m, nn.Linear)]
    x: Tensor = z
    for layer in linear[:-1]:
        x = x @ layer.weight.T + layer.bias
        x = torch.where(x > 0, x, 0.3 * x)
    x = torch.tanh(x @ linear[-1].weight.T + linear[-1].bias)
    torch.testing.assert_close(generator.render(z), x.detach().reshape(5, 1, 8, 8))


def test_dropout_drops_three_in_ten_in_training_and_nothing_in_a_critic() -> None:
    gan = GAN.build("mlp", seed=1)
    images = gan.samples(64)
    kept: list[Tensor] = []
    first = next(m for m in gan.discriminator.modules() if isinstance(m, nn.Dropout))
    first.register_forward_hook(
        lambda _m, given, out: kept.append((out != 0).float().mean() / (given[0] != 0).float().mean())
    )
    gan.discriminator.train()(images)
    assert float(kept[0]) == pytest.approx(0.7, abs=0.01)
    critic = gan.critic("discriminator")
    assert torch.equal(critic.logits(images), critic.logits(images))
    torch.testing.assert_close(critic.logits(images[:1]), critic.logits(images)[:1])
    assert gan.discriminator.training  # the critic is a private copy
    assert not any(isinstance(m, nn.Dropout) for m in MLP.discriminator(dropout=0.0).modules())


def test_dropout_is_that_of_the_step_and_leaves_the_global_stream_alone() -> None:
    images = torch.randint(0, 256, (40, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    config = load("seed-mnist", ["run.steps=3", "run.batch=8", "judge.steps=2", "judge.batch=8"])
    found = []
    for state in (0, 5):
        torch.manual_seed(state)
        before = torch.get_rng_state()
        gan = GAN.build("mlp", **SMALL)
        for _ in train(gan, images, config):
            torch.rand(state)  # whoever draws between steps
        list(train_judge(gan, images, config))
        torch.manual_seed(state)
        assert torch.equal(torch.get_rng_state(), before)
        found.append(gan.fingerprint)
    assert found[0] == found[1]
    gan, masks = GAN.build("mlp", **SMALL), []
    drop = next(m for m in gan.discriminator.modules() if isinstance(m, nn.Dropout))
    drop.register_forward_hook(lambda _m, _given, out: masks.append(out == 0))
    list(train(gan, images, config))
    calls = len(masks) // 3
    assert not torch.equal(masks[0], masks[calls])  # the first call of steps 1 and 2
    without = GAN.build("mlp", **SMALL, dropout=0.0)
    list(train(without, images, config))
    list(train_judge(without, images, config))
    assert without.fingerprint != found[0]


def test_a_saved_one_comes_back(tmp_path: object) -> None:
    gan = GAN.build("mlp", seed=2, **SMALL)
    again = GAN.load(gan.save(f"{tmp_path}/gan.safetensors"))
    assert again.fingerprint == gan.fingerprint
    assert torch.equal(again.samples(4), copy.deepcopy(gan).samples(4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resolution": 30}, "multiple of 4, got 30"),
        ({"widths": [16, 0]}, r"list of positive whole numbers, got \[16, 0\]"),
        ({"widths": 16}, "list of positive whole numbers, got 16"),
        ({"critic_width": 0}, "critic_width must be positive"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\)"),
        ({"slope": -0.1}, r"slope must lie in \[0, 1\)"),
        ({"width": 8}, "option of the family mlp 'width'; did you mean 'widths'"),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GAN.build("mlp", **options)


def test_a_trained_one_is_a_score_until_it_is_calibrated() -> None:
    data = open_data("digits")
    config = load("seed-mnist", ["run.steps=30", "run.batch=16", "judge.steps=20", "judge.batch=16"])
    parts = split(data)
    gan = GAN.build("mlp", **SMALL)
    list(train(gan, data.images[parts.train], config))
    images = gan.samples(2)
    critic = gan.critic("discriminator")
    assert critic.unit == "score"
    assert critic.judge(images).probability is None
    assert IntegratedGradients(critic, baseline="black").attribute(images).unit == "score"
    list(train_judge(gan, data.images[parts.train], config))
    finish(gan, data, parts, config, steps=30, quality={})
    known = gan.critic("discriminator")
    assert known.unit == gan.critic("judge").unit == "logit"
    assert known.judge(images).probability is not None
    assert torch.equal(known.logits(images), critic.logits(images))  # calibration says what a score means, no more
    found = IntegratedGradients(known, baseline="nearest_real").attribute(images)
    assert found.unit == "logit"
    assert found.gap is not None
    assert float(found.gap.abs().max()) < 0.1


TABLE: dict[str, object] = {
    "names": ["age", "colour", "height"],
    "units": {"height": "cm"},
    "categories": {"colour": ["red", "green"]},
    "mean": [40.0, 170.0],
    "std": [10.0, 8.0],
}


def rows(**options: object) -> GAN:
    return GAN.build("mlp", seed=3, z_dim=4, widths=[12], **{"critic_widths": [12], "table": TABLE, **options})


@pytest.mark.parametrize("classes", [0, 3])
def test_rows_come_in_their_own_units_and_are_judged_as_they_are_scaled(classes: int) -> None:
    gan = rows(num_classes=classes)
    own = (torch.arange(6) % 3,) if classes else ()
    made, raw = gan.samples(6, labels=own[0] if own else None), gan.generator.raw(gan.generator.sample(6), *own)
    assert made.shape == (6, 4)
    torch.testing.assert_close(made[:, 0], raw[:, 0] * 10 + 40)
    torch.testing.assert_close(made[:, 3], raw[:, 3] * 8 + 170)
    assert torch.equal(made[:, 1:3], raw[:, 1:3])
    torch.testing.assert_close(made[:, 1:3].sum(1), torch.ones(6))  # shares of the two colours
    assert (made[:, 1:3] > 0).all()
    assert gan.generator.form.check(made) is made
    critic = gan.critic("discriminator", 1 if classes else None)
    assert critic.form.name == "table"
    told = (torch.ones(6).long(),) if classes else ()
    torch.testing.assert_close(critic.logits(made), gan.discriminator(raw, *told).detach(), rtol=1e-5, atol=1e-5)
    assert (gan.generator.resolution, gan.generator.channels) == (0, 0)
    assert "rows" in repr(gan)


def test_parameters_of_rows_are_those_counted_by_hand() -> None:
    gan = GAN.build("mlp", table={"names": ["x", "y"]}, z_dim=16, widths=[128, 128, 128])
    hidden = 2 * (128 * 128 + 128)
    assert count(gan.generator) == (16 * 128 + 128) + hidden + (128 * 2 + 2)
    assert count(gan.discriminator) == (2 * 128 + 128) + hidden + (128 + 1)


@pytest.mark.parametrize("classes", [0, 3])
def test_a_saved_one_of_rows_comes_back_with_its_table(tmp_path: object, classes: int) -> None:
    gan = rows(num_classes=classes)
    gan.reals = gan.samples(30)
    gan.real_labels = torch.arange(30) % 3 if classes else None
    again = GAN.load(gan.save(f"{tmp_path}/gan.safetensors"))
    assert again.generator.form == gan.generator.form == Table(**TABLE)
    assert torch.equal(again.samples(4), gan.samples(4))
    critic = again.critic("discriminator", 2 if classes else None)
    assert critic.reference is not None
    assert torch.equal(critic.reference.images, gan.reals[2::3] if classes else gan.reals)
    found = IntegratedGradients(critic).attribute(gan.reals[:2])
    assert found.values.shape == (2, 4)


def test_rows_are_trained_judged_and_finished() -> None:
    data = open_data("ring-8")
    data = replace(data, images=data.images * 50 + 300)  # in units that no network could read as they are
    parts = split(data)
    config = load("rows", ["run.steps=3", "run.batch=16", "judge.steps=60", "judge.batch=64", "judge.lr=0.005"])
    form = Table.standardised(data.images[parts.train], data.feature_names)
    table = {"names": list(form.names), "mean": list(form.mean), "std": list(form.std)}
    gan = GAN.build("mlp", table=table, z_dim=4, widths=[12], critic_widths=[32, 32])
    list(train(gan, data.images[parts.train], config))
    list(train_judge(gan, data.images[parts.train], config))
    finish(gan, data, parts, config, steps=3, quality={})
    assert gan.reals is not None
    assert gan.reals.dtype == torch.float32
    assert (gan.calibrations["judge"].auc or 0) > 0.8  # three steps of a generator are told from the ring
    assert gan.critic().judge(gan.reals).probability is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"table": {"names": ["a", "a"]}}, "different features"),
        ({"table": {"names": ["a"], "mean": [1.0]}}, "mean and std"),
        ({"critic_widths": [0]}, "critic_widths must be a list of positive"),
    ],
)
def test_bad_tables(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rows(**options)
