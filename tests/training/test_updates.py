"""One update: what is minimised, how the penalties weigh, when a gradient is clipped, how often who moves."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganexplain.data.sets import open_data
from ganexplain.models.gan import GAN
from ganexplain.models.table import Table
from ganexplain.tensors import from_uint8, normal
from ganexplain.training import schedules
from ganexplain.training.config import Config, load
from ganexplain.training.loop import train
from ganexplain.training.penalties import off_unit_slope, squared_slope
from ganexplain.training.updates import Update, Updates

SMALL = ["model.width=4", "model.z_dim=8", "model.depth=0", "run.batch=8", "run.steps=6"]


def game(*changes: str) -> tuple[GAN, Config]:
    config = load("dcgan", [*SMALL, *changes])
    return GAN.build("dcgan", resolution=8, channels=1, **config.options), config


@pytest.fixture(scope="module")
def digits() -> Tensor:
    return open_data("digits").images


class Goals:
    """Records what every update minimises beside its facts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[tuple[str, float, dict[str, float]]] = []
        original = Updates.stepped

        def watched(own: Updates, optimiser: Any, network: nn.Module, goal: Tensor, facts: dict[str, Tensor]) -> Update:
            player = "d" if network is own.d else "g"
            self.seen.append((player, float(goal.detach()), {name: float(v.detach()) for name, v in facts.items()}))
            return original(own, optimiser, network, goal, facts)

        monkeypatch.setattr(Updates, "stepped", watched)


def test_penalties_add_half_of_gamma_times_the_squared_slopes(digits: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    goals = Goals(monkeypatch)
    list(train(*_with(digits, "loss.gamma=4")))
    for player, goal, facts in goals.seen:
        extra = 2 * (facts["r1"] + facts["r2"]) if player == "d" else 0
        assert goal == pytest.approx(facts["loss"] + extra, rel=1e-5)


def test_lazy_penalties_come_seldom_and_weigh_more(digits: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    goals = Goals(monkeypatch)
    steps = list(train(*_with(digits, "loss.gamma=4", "loss.every=3")))
    assert [s.r1 is not None for s in steps] == [True, False, False, True, False, False]
    _, goal, facts = goals.seen[0]
    assert goal == pytest.approx(facts["loss"] + 3 * 2 * (facts["r1"] + facts["r2"]), rel=1e-5)


def test_the_penalty_between_reals_and_fakes_is_weighed_by_its_own_lambda(
    digits: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    goals = Goals(monkeypatch)
    steps = list(train(*_with(digits, "loss.name=wasserstein", 'loss.penalties=["gp"]', "loss.gp=7")))
    assert all(s.gp is not None and s.gp > 0 and s.r1 is None for s in steps)
    _, goal, facts = goals.seen[0]
    assert goal == pytest.approx(facts["loss"] + 7 * facts["gp"], rel=1e-5)


def test_the_slope_between_is_off_by_what_the_weights_say() -> None:
    weight = torch.tensor([3.0, 4.0])
    at = torch.linspace(0, 1, 6)
    real, fake = (normal(seed, shape=(6, 2)) for seed in (0, 1))
    torch.testing.assert_close(off_unit_slope(lambda x: x @ weight, real, fake, at), torch.full((6,), 16.0))
    found = off_unit_slope(lambda x: 0.5 * x.square().sum(1), real, fake, at)  # whose slope is the point itself
    points = real + at[:, None] * (fake - real)
    torch.testing.assert_close(found, (points.norm(dim=1) - 1).square())


def test_a_flat_critic_has_a_penalty_of_one_and_no_nan() -> None:
    weight = torch.zeros(2, requires_grad=True)
    found = off_unit_slope(
        lambda x: x @ weight, normal(0, shape=(3, 2)), normal(1, shape=(3, 2)), torch.linspace(0, 1, 3)
    )
    torch.testing.assert_close(found, torch.ones(3), atol=1e-5, rtol=0)
    (slope,) = torch.autograd.grad(found.sum(), weight)
    assert torch.isfinite(slope).all()


def test_a_gradient_is_clipped_to_its_norm_and_told_as_it_was(digits: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[float, float]] = []
    original = Updates.stepped

    def watched(own: Updates, optimiser: Any, network: nn.Module, goal: Tensor, facts: dict[str, Tensor]) -> Update:
        told = original(own, optimiser, network, goal, facts)
        left = math.sqrt(sum(float(p.grad.square().sum()) for p in network.parameters() if p.grad is not None))
        seen.append((told.norm, left))
        return told

    monkeypatch.setattr(Updates, "stepped", watched)
    list(train(*_with(digits, "optim.clip=0.05")))
    assert any(norm > 0.05 for norm, _ in seen)
    assert all(left == pytest.approx(min(norm, 0.05), rel=1e-4) for norm, left in seen)


def test_the_discriminator_may_move_more_often_each_time_on_other_images(
    digits: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    goals = Goals(monkeypatch)
    steps = list(train(*_with(digits, "optim.n_critic=3")))
    assert [player for player, _, _ in goals.seen] == ["d", "d", "d", "g"] * 6
    assert steps[-1].seen == 6 * 3 * 8
    assert len({goal for _, goal, _ in goals.seen}) == len(goals.seen)


@pytest.mark.parametrize("turns", [1, 2])
def test_no_draw_of_reals_is_seen_twice_or_left_out(
    digits: Tensor, monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    from ganexplain.training.batches import Batches

    draws: list[int] = []
    original = Batches.reals
    monkeypatch.setattr(Batches, "reals", lambda own, draw: (draws.append(draw), original(own, draw))[1])
    list(train(*_with(digits, f"optim.n_critic={turns}")))
    assert draws == list(range(6 * (turns + 1)))


def test_two_time_scales_and_the_burn_in_reach_both_optimisers(digits: Tensor) -> None:
    gan, images, config = _with(
        digits, "optim.lr_ratio=4", "run.burn_in=0.5", "optim.beta2_to=0.5", "loss.gamma_to=0.1", "loss.gamma=2"
    )
    training = train(gan, images, config)
    for step in training:
        groups = [part.param_groups[0] for part in (training.updates.opt_g, training.updates.opt_d)]
        assert [group["lr"] for group in groups] == pytest.approx([step.lr, 4 * step.lr])
        assert {group["betas"][1] for group in groups} == {schedules.beta2(config, step.step)}
        assert step.gamma == schedules.gamma(config, step.step)
    assert schedules.gamma(config, 3) == pytest.approx(0.2)  # half of six steps: the burn-in is over
    assert schedules.gamma(config, 6) == pytest.approx(0.2)
    assert schedules.beta2(config, 6) == pytest.approx(0.5)
    share = 0.5 - 0.5 * math.cos(math.pi / 3)
    assert schedules.gamma(config, 1) == pytest.approx(2 * (1 - 0.9 * share))


def test_a_lower_precision_leaves_the_penalty_in_float32(digits: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: list[torch.dtype] = []
    from ganexplain.training import updates

    def watched(critic: Any, images: Tensor) -> tuple[Tensor, Tensor]:
        logits, squared = squared_slope(critic, images)
        kinds.append(logits.dtype)
        return logits, squared

    monkeypatch.setattr(updates, "squared_slope", watched)
    rounded = list(train(*_with(digits, "run.precision=bfloat16")))
    exact = list(train(*_with(digits)))
    assert set(kinds) == {torch.float32}
    assert rounded[0].r1 == pytest.approx(exact[0].r1, rel=1e-5)
    assert rounded[0].loss_d == pytest.approx(exact[0].loss_d, rel=0.02)
    assert rounded[0].loss_d != exact[0].loss_d


def test_augmentation_reaches_both_sides_of_both_updates(digits: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganexplain.training.batches import Batches

    keys: list[tuple[int | str, ...]] = []
    original = Batches.augmented
    monkeypatch.setattr(Batches, "augmented", lambda own, x, *key: (keys.append(key), original(own, x, *key))[1])
    steps = list(train(*_with(digits, 'run.augment=["translation", "cutout"]', "run.steps=2")))
    # the generator's turn comes after the discriminator's only one
    assert keys[:4] == [(1, 0, "real"), (1, 0, "fake"), (1, 1, "fake"), (1, 1, "real")]
    assert steps[0].loss_d != list(train(*_with(digits, "run.steps=2")))[0].loss_d


def _with(digits: Tensor, *changes: str) -> tuple[GAN, Tensor, Config]:
    gan, config = game(*changes)
    return gan, digits, config


def test_a_conditional_game_shows_both_networks_the_classes_of_the_reals(monkeypatch: pytest.MonkeyPatch) -> None:
    data, config = open_data("digits"), load("dcgan", SMALL)
    gan = GAN.build("dcgan", resolution=8, channels=1, num_classes=10, **config.options)
    seen: list[tuple[Tensor, Tensor]] = []
    gan.discriminator.register_forward_hook(lambda _, given, __: seen.append((given[0].detach(), given[1])))
    assert data.labels is not None
    steps = list(train(gan, data.images, config, labels=data.labels))
    assert all(step.finite for step in steps)
    known = {
        image.numpy().tobytes(): int(label) for image, label in zip(from_uint8(data.images), data.labels, strict=True)
    }
    real, fake = seen[0], seen[1]
    assert [known[image.numpy().tobytes()] for image in real[0]] == real[1].tolist()
    assert torch.equal(real[1], fake[1])
    with pytest.raises(ValueError, match="is conditional and needs the classes"):
        train(gan, data.images, config)
    with pytest.raises(ValueError, match="whole numbers from 0 to 9"):
        train(gan, data.images, config, labels=data.labels + 1)


def test_rows_are_trained_as_they_are_scaled_and_made_in_their_own_units(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = normal(0, shape=(200, 2)) * torch.tensor([1.0, 50.0]) + torch.tensor([5.0, -300.0])
    table = Table.standardised(rows, ("a", "b"))
    config = load("dcgan", ["run.batch=64", "run.steps=300", "optim.lr=2e-3", "loss.gamma=0.1"])
    facts = {"names": ["a", "b"], "mean": list(table.mean), "std": list(table.std)}
    gan = GAN.build("mlp", table=facts, z_dim=4, widths=[32, 32], critic_widths=[32, 32])
    seen: list[Tensor] = []
    gan.discriminator.register_forward_hook(lambda _, given, __: seen.append(given[0].detach()))
    list(train(gan, rows, config))
    assert float(seen[0].abs().mean()) == pytest.approx(0.8, abs=0.2)  # of a standard normal
    made = gan.generator.render(gan.generator.sample(500))
    torch.testing.assert_close(made.mean(0), rows.mean(0), atol=0.0, rtol=0.1)
    torch.testing.assert_close(made.std(0), rows.std(0), atol=0.0, rtol=0.35)
    with pytest.raises(ValueError, match="training rows"):
        train(gan, rows[:, :1], config)
