"""Two processes train as one would: the same gradients, weights that stay equal, faults and states in common."""

from __future__ import annotations

import io
import math
import os
import re
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ganexplain import store, tensors
from ganexplain.models.gan import GAN
from ganexplain.models.generator import Generator
from ganexplain.training.config import Config, load
from ganexplain.training.loop import DivergedError, Training, train
from ganexplain.training.penalties import squared_slope
from ganexplain.training.world import World, WorldError
from tests.training._ranks import Ended, launch, meeting

TIMEOUT = 60.0  # seconds
SMALL = ["model.width=8", "model.z_dim=8", "model.depth=0", "run.batch=8", "run.steps=40", "loss.gamma=0.3"]
BUSY = ["run.flip=true", 'run.augment=["color", "translation", "cutout"]', "optim.n_critic=2", "optim.clip=1"]
CLASSES = 3


class Conditional(Generator):
    """A class embedding beside z."""

    z_dim, resolution, channels, num_classes = 8, 8, 1, CLASSES

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.layers = nn.Embedding(CLASSES, 8), nn.Sequential(nn.Linear(16, 64), nn.Tanh())

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        rows: Tensor = self.layers(torch.cat([z, self.embed(labels)], 1))
        return rows.view(-1, 1, 8, 8)


class Projection(nn.Module):
    """Features, a linear head, and their product with the class's embedding (Miyato and Koyama 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten())
        self.head, self.embed = nn.Linear(128, 1), nn.Embedding(CLASSES, 128)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        features = self.layers(x)
        return self.head(features).flatten() + (features * self.embed(labels)).sum(1)


class Uneasy(Generator):
    """Batch norm and dropout: what a process has for itself."""

    z_dim, resolution, channels = 8, 8, 1

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 64))

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.layers(z)).view(-1, 1, 8, 8)


def uneasy_critic() -> nn.Module:
    convolution = spectral_norm(nn.Conv2d(1, 8, 4, 2, 1))
    return nn.Sequential(convolution, nn.LeakyReLU(0.2), nn.Dropout(0.2), nn.Flatten(), nn.Linear(128, 1))


def made(world: World, *changes: str, kind: str = "dcgan", seed: int = 0) -> Training:
    config = load("dcgan", [*SMALL, *changes])
    images = torch.from_numpy(tensors.rng(0, "images").integers(0, 256, (96, 1, 8, 8), "uint8"))
    labels = torch.arange(96) % CLASSES if kind == "conditional" else None
    return train(built(kind, config, seed), images, config, labels=labels, world=world)


def built(kind: str, config: Config, seed: int) -> GAN:
    if kind == "dcgan":
        return GAN.build("dcgan", seed=seed, resolution=8, channels=1, **config.options)
    with tensors.isolated(seed):
        if kind == "conditional":
            return GAN("dcgan", {}, Conditional(), Projection())
        return GAN("dcgan", {}, Uneasy(), uneasy_critic())


def parameters(training: Training) -> dict[str, Tensor]:
    networks = {"g": training.g, "d": training.d, "average": training.average}
    return {f"{part}.{name}": p for part, net in networks.items() for name, p in net.named_parameters()}


def weights(training: Training) -> dict[str, Tensor]:
    return {name: p.detach().clone().contiguous() for name, p in parameters(training).items()}


def gradients(world: World, kind: str) -> dict[str, Tensor]:
    """Of both networks in the first step."""
    training = made(world, kind=kind)
    next(training)
    return {name: p.grad.contiguous() for name, p in parameters(training).items() if p.grad is not None}


def after(world: World, steps: int, *changes: str) -> dict[str, Any]:
    """Weights after so many steps, and the means that every process was told."""
    training = made(world, *changes)
    told = [next(training) for _ in range(steps)]
    world.same(training.g, training.d, training.average)
    last = {name: value for name, value in vars(told[-1]).items() if value is not None and name != "seconds"}
    return {"weights": weights(training), "told": last}


def penalised(world: World) -> dict[str, Any]:
    """A discriminator after three steps down its penalty alone, which leaves the last bias without a gradient."""
    critic = GAN.build("dcgan", resolution=8, channels=1, width=8).discriminator
    adam = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.9, 0.99))
    for number in range(3):
        batch = tensors.normal(0, "batch", number, shape=(8, 1, 8, 8))[world.share(8)]
        adam.zero_grad()
        torch.autograd.backward(0.5 * squared_slope(critic, batch)[1].mean())
        world.average(critic.parameters())
        adam.step()
    world.same(critic)
    return {"weights": dict(critic.state_dict()), "moments": len(adam.state), "bias": critic.head.bias.grad}


def poisoned(world: World, faults: range) -> dict[str, Any]:
    """Ten and some steps in which the last process's discriminator says NaN at the numbered ones."""
    training = made(world)

    def poison(_: nn.Module, __: Any, logits: Tensor) -> Tensor | None:
        faulty = world.rank == world.size - 1 and training.number + 1 in faults
        return logits * math.nan if faulty else None

    training.d.register_forward_hook(poison)
    finite, skipped, ended = [], 0, ""
    try:
        for step in training:
            finite.append(step.finite)
            skipped = step.skipped
            if step.step == 14:
                break
    except DivergedError as error:
        ended = str(error)
    world.same(training.g, training.d)
    return {"finite": finite, "skipped": skipped, "ended": ended}


def resumed(world: World) -> dict[str, Any]:
    """Six steps, and three and three with the state in a file between them, as hashes; and the state."""
    whole = made(world, kind="uneasy")
    for _ in range(6):
        next(whole)
    begun = made(world, kind="uneasy")
    for _ in range(3):
        next(begun)
    file = io.BytesIO()
    torch.save(begun.state(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    other = made(world, kind="uneasy", seed=1)
    other.load(state)
    for _ in range(3):
        next(other)
    return {"whole": hashed(whole.state()), "continued": hashed(other.state()), "state": state}


def hashed(state: dict[str, Any]) -> str:
    flat = {f"{part}.{name}": t for part, net in state["networks"].items() for name, t in net.items()}
    for part, optimiser in state["optimisers"].items():
        flat |= {f"{part}.{i}.{name}": t for i, own in optimiser["state"].items() for name, t in own.items()}
    return store.fingerprint({name: tensor.contiguous() for name, tensor in flat.items()})


def continued(world: World, state: dict[str, Any]) -> dict[str, Tensor]:
    """Three steps more of the plain GAN, by however many processes there are."""
    training = made(world)
    training.load(state)
    for _ in range(3):
        next(training)
    return weights(training)


def stateful(world: World) -> dict[str, Any]:
    training = made(world)
    for _ in range(2):
        next(training)
    return training.state()


def apart(world: World) -> dict[str, str]:
    """What is said of processes with other configs, and of processes whose weights have come apart."""
    said = {}
    try:
        made(world, f"loss.gamma={world.rank}")
    except WorldError as error:
        said["config"] = str(error)
    training = made(world)
    next(training)
    with torch.no_grad():
        training.average.layers[1].bias[0] += world.rank
    try:
        training.state()
    except WorldError as error:
        said["weights"] = str(error)
    return said


def scenario() -> Iterator[dict[str, Any]]:
    """All in one start; process 1 ends by a kill in the midst of a step, after which process 0 does as it does."""
    with meeting(TIMEOUT) as world:
        found: dict[str, Any] = {
            "gradients": gradients(world, "dcgan"),
            "conditional": gradients(world, "conditional"),
            "three": after(world, 3, *BUSY),
            "twenty": after(world, 20, "loss.every=2"),
            "penalised": penalised(world),
            "once": poisoned(world, range(3, 4)),
            "always": poisoned(world, range(3, 30)),
            "resumed": resumed(world),
            "state": (state := stateful(world)),
            "continued": continued(world, state),
            "apart": apart(world),
        }
        yield found
        training = made(world)
        next(training)
        if world.rank == 1:
            training.d.register_forward_hook(lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        start = time.monotonic()
        try:
            next(training)
        except WorldError:
            yield {**found, "waited": time.monotonic() - start}
            raise


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> list[Ended]:
    return launch("tests.training.test_world_training:scenario", tmp_path_factory.mktemp("world"))


def near(found: dict[str, Tensor], wanted: dict[str, Tensor], by: float) -> bool:
    assert list(found) == list(wanted)
    return all(float((found[name] - wanted[name]).abs().max()) <= by for name in wanted)


@pytest.mark.parametrize(("name", "kind"), [("gradients", "dcgan"), ("conditional", "conditional")])
def test_gradients_of_two_are_those_of_one_with_the_whole_batch(ended: list[Ended], name: str, kind: str) -> None:
    alone = gradients(World(), kind)
    assert {name.partition(".")[0] for name in alone} == {"g", "d"}
    assert max(float(g.abs().max()) for g in alone.values()) > 0.3
    for process in ended:
        assert near(process.found[name], alone, 1e-6)


def test_weights_and_what_is_told_are_those_of_one(ended: list[Ended]) -> None:
    """With mirrored and augmented images, clipping, and two updates of the discriminator a step."""
    alone = after(World(), 3, *BUSY)
    for process in ended:
        assert near(process.found["three"]["weights"], alone["weights"], 1e-5)
        assert process.found["three"]["told"] == pytest.approx(alone["told"], rel=1e-5)


def test_processes_stay_equal_with_lazy_penalties(ended: list[Ended]) -> None:
    first, second = (process.found["twenty"] for process in ended)
    assert near(first["weights"], second["weights"], 0.0)
    assert first["told"] == second["told"]
    assert near(first["weights"], after(World(), 20, "loss.every=2")["weights"], 1e-5)


def test_a_step_of_penalties_alone_stays_in_step(ended: list[Ended]) -> None:
    alone = penalised(World())
    start = GAN.build("dcgan", resolution=8, channels=1, width=8).discriminator.state_dict()
    assert not near(alone["weights"], dict(start), 1e-4)
    assert alone["moments"] == len(alone["weights"]) - 1  # the last bias had no gradient, so it was left alone
    for process in ended:
        assert near(process.found["penalised"]["weights"], ended[0].found["penalised"]["weights"], 0.0)
        assert near(process.found["penalised"]["weights"], alone["weights"], 1e-5)
        assert (process.found["penalised"]["moments"], process.found["penalised"]["bias"]) == (alone["moments"], None)


def test_a_nan_of_one_process_skips_the_step_on_all(ended: list[Ended]) -> None:
    for process in ended:
        once, always = process.found["once"], process.found["always"]
        assert once == {"finite": [True] * 2 + [False] + [True] * 11, "skipped": 1, "ended": ""}
        assert always["finite"] == [True] * 2 + [False] * 9
        assert re.match("10 steps in a row up to step 12 gave values that are not finite", always["ended"])


def test_two_processes_continue_bit_for_bit(ended: list[Ended]) -> None:
    for process in ended:
        found = process.found["resumed"]
        assert found["whole"] == found["continued"] == ended[0].found["resumed"]["whole"]
        assert hashed(found["state"]) == hashed(ended[0].found["resumed"]["state"]) != found["whole"]


def test_one_process_continues_what_two_began(ended: list[Ended]) -> None:
    assert near(continued(World(), ended[0].found["state"]), ended[0].found["continued"], 1e-5)


def test_processes_that_have_come_apart_save_nothing(ended: list[Ended]) -> None:
    for process in ended:
        said = process.found["apart"]
        assert said["config"].startswith("the setting config of process 1 is not process 0's; start all processes")
        assert said["weights"].startswith("the parameter DCGenerator (3).layers.1.bias of process 1 is not process 0's")


def test_a_killed_process_ends_the_other_with_an_error(ended: list[Ended]) -> None:
    assert ended[1].status == -signal.SIGKILL
    assert ended[0].status == 1
    assert ended[0].found["waited"] < TIMEOUT / 4
    assert "WorldError: process 0 of 2 lost the others in average: one has ended or does not answer" in ended[0].said
