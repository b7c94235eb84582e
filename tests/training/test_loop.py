"""The loop: repeatable, undisturbed by whoever looks on, honest about steps that fail."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from ganexplain import store, tensors
from ganexplain.data.sets import open_data
from ganexplain.models.gan import GAN
from ganexplain.training.batches import Batches
from ganexplain.training.config import Config, load
from ganexplain.training.loop import DivergedError, Step, train
from ganexplain.training.schedules import learning_rate
from ganexplain.training.updates import Update, Updates
from ganexplain.training.world import World

SMALL = ["model.width=8", "model.z_dim=8", "model.depth=0", "run.batch=16"]


@pytest.fixture(scope="module")
def digits() -> Tensor:
    return open_data("digits").images


def small(*changes: str) -> tuple[GAN, Config]:
    config = load("dcgan", [*SMALL, *changes])
    return GAN.build("dcgan", seed=config.run.seed, resolution=8, channels=1, **config.options), config


def batches(images: Tensor, config: Config) -> Batches:
    return Batches(images, None, small()[0].generator, config, World(), torch.device("cpu"))


def weights(gan: GAN) -> str:
    parts = {"g": gan.generator, "d": gan.discriminator}
    return store.fingerprint({f"{p}.{k}": v for p, m in parts.items() for k, v in m.state_dict().items()})


def test_same_seed_same_weights_and_another_seed_others(digits: Tensor) -> None:
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(found))  # global state must not matter
        gan, config = small("run.steps=5", f"run.seed={seed}")
        list(train(gan, digits, config))
        found.append(weights(gan))
    assert found[0] == found[1] != found[2]


def test_looking_on_between_steps_changes_nothing(digits: Tensor) -> None:
    alone, config = small("run.steps=6")
    list(train(alone, digits, config))
    watched, _ = small("run.steps=6")
    for step in train(watched, digits, config):
        watched.samples(3, seed=step.step)
        watched.critic("discriminator").judge(tensors.from_uint8(digits[:4]))
        torch.randn(7)
    assert weights(watched) == weights(alone)


def test_global_random_streams_are_left_alone(digits: Tensor) -> None:
    gan, config = small("run.steps=2")
    before = torch.get_rng_state()
    list(train(gan, digits, config))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_generator_step_leaves_the_discriminator_alone(digits: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    original = Updates.generator

    def watched(self: Updates, number: int) -> Update:
        state = {k: v.clone() for k, v in self.d.state_dict().items()}
        gradients = [p.grad.clone() for p in self.d.parameters() if p.grad is not None]
        before = {k: v.clone() for k, v in self.g.state_dict().items()}
        told = original(self, number)
        same = all(torch.equal(v, state[k]) for k, v in self.d.state_dict().items())
        kept = all(torch.equal(p.grad, g) for p, g in zip(self.d.parameters(), gradients, strict=True))
        moved = any(not torch.equal(v, before[k]) for k, v in self.g.state_dict().items())
        seen.append((same, kept, moved))
        return told

    monkeypatch.setattr(Updates, "generator", watched)
    gan, config = small("run.steps=3")
    list(train(gan, digits, config))
    assert seen == [(True, True, True)] * 3


def test_the_exported_generator_is_the_moving_average(digits: Tensor) -> None:
    """With a half-life of nothing the average is the raw generator; with a long one it lags behind."""
    raw, config = small("run.steps=4", "run.ema=0")
    list(train(raw, digits, config))
    lagging, config = small("run.steps=4")
    list(train(lagging, digits, config))
    assert weights(raw) != weights(lagging)
    d = [store.fingerprint(g.discriminator.state_dict()) for g in (raw, lagging)]
    assert d[0] == d[1]  # the average never feeds back
    assert not any(p.requires_grad for p in lagging.generator.parameters())
    assert not lagging.generator.training
    assert not lagging.discriminator.training


def test_two_hundred_steps_on_digits_stay_in_balance(digits: Tensor) -> None:
    gan, config = small("run.steps=200", "model.width=16", "run.batch=32", "loss.gamma=0.3", "optim.lr=1.5e-3")
    steps = list(train(gan, digits, config))
    assert [s.step for s in steps] == list(range(1, 201))
    assert all(s.finite and math.isfinite(s.r1) and math.isfinite(s.r2) for s in steps)
    late = [s.accuracy for s in steps[-100:]]
    assert 0.5 < sum(late) / 100 < 0.995
    assert steps[-1].seen == 200 * 32
    assert steps[-1].skipped == 0
    before = GAN.build("dcgan", resolution=8, channels=1, **config.options).samples(64)
    real = tensors.from_uint8(digits)
    gap = [(images.mean(0) - real.mean(0)).square().mean() for images in (before, gan.samples(64))]
    assert gap[1] < 0.25 * gap[0]  # the mean digit is found, from noise


def poison(network: nn.Module, calls: set[int]) -> Iterator[int]:
    """Make the network return NaN at the given calls; yields the count so far."""
    count = iter(range(10**6))

    def hook(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output * math.nan if next(count) in calls else output

    network.register_forward_hook(hook)
    return count


CALLS = 4  # forwards of the discriminator a step: real, fake, then real and fake for the generator


def test_a_step_that_is_not_finite_is_skipped_and_counted(digits: Tensor) -> None:
    gan, config = small("run.steps=4")
    poison(gan.discriminator, {CALLS})  # the reals of step 2
    states, steps = [], []
    for step in train(gan, digits, config):
        steps.append(step)
        states.append(weights(gan))
    assert [s.finite for s in steps] == [True, False, True, True]
    assert [s.skipped for s in steps] == [0, 1, 1, 1]
    assert states[0] == states[1] != states[2]  # neither weights nor average moved
    assert all(torch.isfinite(p).all() for p in gan.generator.parameters())


def test_ten_such_steps_in_a_row_end_the_run(digits: Tensor) -> None:
    gan, config = small("run.steps=50")
    poison(gan.discriminator, set(range(2 * CALLS, 10**4)))
    taken: list[Step] = []
    with pytest.raises(DivergedError, match=r"10 steps in a row up to step 12 .* lower optim\.lr"):
        taken.extend(train(gan, digits, config))
    assert all(torch.isfinite(p).all() for p in gan.discriminator.parameters())


def test_the_rate_is_constant_then_falls_along_a_cosine() -> None:
    config = load("dcgan", ["run.steps=100", "optim.lr=1.0", "optim.decay_from=0.5", "optim.decay_to=0.1"])
    assert [learning_rate(config, n) for n in (1, 50)] == [1.0, 1.0]
    assert learning_rate(config, 75) == pytest.approx(0.55)  # half way down
    assert learning_rate(config, 100) == pytest.approx(0.1)
    constant = load("dcgan", ["optim.lr=1.0", "optim.decay_from=1.0"])
    assert learning_rate(constant, constant.run.steps) == pytest.approx(1.0)


def test_flips_mirror_some_reals_and_are_off_by_default(digits: Tensor) -> None:
    gan, config = small("run.flip=true")
    plain, flipped = (batches(digits, chosen).reals(3)[0] for chosen in (small()[1], config))
    same = (flipped == plain).flatten(1).all(1)
    mirrored = (flipped == plain.flip(-1)).flatten(1).all(1)
    assert (same | mirrored).all()
    assert 0 < int(mirrored.sum()) < len(plain)


CHANGES = ["loss.name=bce", "loss.gamma=0", 'loss.penalties=["r1"]', 'model.norm="batch"', "run.precision=bfloat16"]


@pytest.mark.parametrize("change", CHANGES)
def test_every_variant_of_the_game_runs(digits: Tensor, change: str) -> None:
    gan, config = small("run.steps=2", change)
    last = list(train(gan, digits, config))[-1]
    assert last.finite
    assert (last.r2 is None) == (change in ("loss.gamma=0", 'loss.penalties=["r1"]'))
    assert gan.kinds["discriminator"] == ("logit" if change == "loss.name=bce" else "score")


def test_images_that_do_not_fit_are_refused(digits: Tensor) -> None:
    gan, config = small()
    with pytest.raises(TypeError, match="must be uint8"):
        train(gan, digits.float(), config)
    with pytest.raises(ValueError, match=r"\(N, 1, 8, 8\)"):
        train(gan, digits[:, :, :4], config)


def test_a_gradient_that_is_not_finite_takes_no_step(digits: Tensor) -> None:
    network, (_, config) = nn.Linear(2, 1), small()
    updates = Updates((network, network), batches(digits, config), config, World())
    before = network.weight.detach().clone()
    for bad in (math.nan, math.inf):
        told = updates.stepped(updates.opt_d, network, network(torch.tensor([[1.0, bad]])).sum(), {})
        assert not told.taken
        assert torch.equal(network.weight, before)
        assert not updates.opt_d.state
    told = updates.stepped(updates.opt_d, network, network(torch.tensor([[2.0, 3.0]])).sum(), {})
    assert told.taken
    assert told.norm == pytest.approx(14**0.5)  # of (2, 3) and 1, the slopes by weights and bias
    assert not torch.equal(network.weight, before)


KEYS: list[tuple[str, int, int]] = [("d", 1, 0), ("d", 2, 0), ("d", 1, 1), ("g", 1, 0)]


def test_every_step_and_either_player_draws_noise_of_its_own(digits: Tensor) -> None:
    drawn = [source.noise(*keys) for source in [batches(digits, small()[1])] for keys in KEYS]
    assert torch.equal(batches(digits, small()[1]).noise(*KEYS[0]), drawn[0])
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(drawn, 2))
