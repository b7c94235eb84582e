"""A world of several processes against arithmetic by hand, and what becomes of the others when one is lost."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks import readme
from ganexplain.training.world import World, WorldError
from tests.training._ranks import ROOT, Ended, launch, meeting

LONG, SHORT = 60.0, 5.0  # seconds; also for processes to find each other, on a busy machine


def network(seed: int) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Linear(4, 4).double())


def averaged(world: World) -> dict[str, Any]:
    """Gradients (1, 2, 3, ...) * (rank + 1) on the first layer, one that process 1 alone has, and one of nobody."""
    layers = network(0).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    convolution, norm, linear = layers
    count = torch.arange(1.0, 1 + convolution.weight.numel()).view_as(convolution.weight)
    convolution.weight.grad = count * (world.rank + 1)
    if world.rank == 1:
        linear.bias.grad = torch.ones(4, dtype=torch.float64)
    norm.weight.requires_grad_(False)
    numbers = world.average(layers.parameters(), 2.0 * world.rank, torch.tensor(7.0))
    left = {name: p.grad for name, p in layers.named_parameters() if p.grad is not None}
    return {"numbers": numbers, "gradients": left, "count": count}


def poisoned(world: World) -> Tensor:
    """One NaN among the gradients of process 1."""
    linear = nn.Linear(3, 1)
    linear.weight.grad = torch.ones(1, 3)
    if world.rank == 1:
        linear.weight.grad[0, 1] = torch.nan
    world.average(linear.parameters())
    return linear.weight.grad


def broadcasted(world: World) -> dict[str, Any]:
    layers = network(world.rank).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    layers[1].running_mean.fill_(world.rank + 5.0)
    layers[1].num_batches_tracked.fill_(world.rank + 2**40)
    world.broadcast(layers)
    return dict(layers.state_dict())


def compared(world: World) -> dict[str, str]:
    def said(check: Any) -> str:
        try:
            check()
        except WorldError as error:
            return str(error)
        return ""

    one, other = network(0), network(0)
    other[1].running_mean.fill_(float(world.rank))  # a buffer: each process's own
    found = {"equal": said(lambda: world.same(one, other))}
    with torch.no_grad():
        other[2].weight[3, 3] += world.rank * 1e-12
    found["last bit"] = said(lambda: world.same(one, other))
    found["agreed"] = said(lambda: world.agree(config="a", data="b"))
    found["disagreed"] = said(lambda: world.agree(config="a", data=f"b{world.rank}"))
    return found


def lost(world: World) -> tuple[str, float]:
    """What an update says when the other process is gone, and after how many seconds."""
    start = time.monotonic()
    try:
        averaged(world)
    except WorldError as error:
        return str(error), time.monotonic() - start
    return "", time.monotonic() - start


def scenario() -> Iterator[dict[str, Any]]:
    """All that two processes do, in one start: agreeing first, then each way of losing one another."""
    found: dict[str, Any] = {}
    with meeting(LONG) as world:
        found["world"] = (world.rank, world.size, world.first, world.alone)
        found["share"] = (world.share(6).start, world.share(6).stop)
        found["device"] = str(world.device("cpu"))
        found["average"], found["poisoned"] = averaged(world), poisoned(world)
        found["any"] = (world.any(world.rank == 1), world.any(False))
        found["mean"] = world.mean(world.rank, 3, float("nan") if world.rank else 0.0)
        found["broadcast"], found["compared"] = broadcasted(world), compared(world)
        world.barrier()
    with meeting(SHORT) as world:
        pause = world.rank * (SHORT + 1)
        time.sleep(pause)  # measuring, say: a barrier waits for that
        world.barrier()
        time.sleep(pause)
        found["after silence"] = lost(world)
    try:
        with meeting(LONG) as world:
            if world.rank == 1:
                raise KeyError("a fault of this process alone")
            found["after an error"] = lost(world)
    except KeyError:
        yield found
    with meeting(LONG) as world:
        if world.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        found["after a kill"] = lost(world)
    yield found


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> list[Ended]:
    return launch("tests.training.test_world:scenario", tmp_path_factory.mktemp("world"), meetings=4)


def test_both_processes_go_their_way_to_the_end(ended: list[Ended]) -> None:
    assert ended[0].status == 0, ended[0].said
    assert ended[1].status == -signal.SIGKILL, ended[1].said
    assert [process.found["world"] for process in ended] == [(0, 2, True, False), (1, 2, False, False)]
    assert [process.found["share"] for process in ended] == [(0, 3), (3, 6)]
    assert [process.found["device"] for process in ended] == ["cpu", "cpu"]


def test_gradients_are_means_and_a_missing_one_counts_as_zeros(ended: list[Ended]) -> None:
    for process in ended:
        found = process.found["average"]
        gradients, count = found["gradients"], found["count"]
        assert sorted(gradients) == ["0.weight", "2.bias"]  # what no process has, none gets, as in a single process
        assert torch.equal(gradients["0.weight"], count * 1.5)
        assert torch.equal(gradients["2.bias"], torch.full((4,), 0.5, dtype=torch.float64))
        assert found["numbers"] == (1.0, 7.0)


def test_a_nan_of_one_is_a_nan_of_all(ended: list[Ended]) -> None:
    for process in ended:
        assert process.found["poisoned"].isnan().tolist() == [[False, True, False]]
        mean = process.found["mean"]
        assert mean[:2] == (0.5, 3.0)
        assert mean[2] != mean[2]


def test_a_flag_of_one_is_up_for_all(ended: list[Ended]) -> None:
    assert [process.found["any"] for process in ended] == [(True, False)] * 2


def test_the_first_process_gives_parameters_and_buffers(ended: list[Ended]) -> None:
    want = network(0).state_dict()
    want["1.running_mean"], want["1.num_batches_tracked"] = torch.full((3,), 5.0), torch.tensor(2**40)
    for process in ended:
        found = process.found["broadcast"]
        assert list(found) == list(want)
        assert all(torch.equal(found[name], want[name]) for name in want)


def test_what_differs_is_named(ended: list[Ended]) -> None:
    for process in ended:
        said = process.found["compared"]
        assert said["equal"] == said["agreed"] == ""
        assert re.match(r"the parameter Sequential \(2\)\.2\.weight of process 1 is not process 0's", said["last bit"])
        assert re.match(r"the setting data of process 1 is not process 0's; start all", said["disagreed"])


@pytest.mark.parametrize("how", ["after an error", "after a kill", "after silence"])
def test_a_lost_process_ends_the_other_in_time(ended: list[Ended], how: str) -> None:
    said, took = ended[0].found[how]
    assert re.match(r"process 0 of 2 lost the others in average: one has ended or does not answer, and its own", said)
    assert SHORT <= took < LONG / 2 if how == "after silence" else took < SHORT


def test_alone_nothing_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    layers = network(0)
    layers[0].weight.grad = torch.ones_like(layers[0].weight)
    with World.join() as world:
        assert not torch.distributed.is_initialized()
        assert world == World()
        assert world.average(layers.parameters(), 1, torch.tensor(2.5)) == (1.0, 2.5)
        assert [name for name, p in layers.named_parameters() if p.grad is not None] == ["0.weight"]
        assert (world.any(True), world.any(False), world.mean(1, 2)) == (True, False, (1.0, 2.0))
        assert world.share(7) == slice(0, 7)
        assert (world.first, world.alone, str(world.device("cuda:3"))) == (True, True, "cuda:3")
        for nothing in (world.barrier, world.same, world.broadcast, world.agree):
            nothing()


def test_shares_are_the_whole_batch_in_order() -> None:
    rows = [list(range(12))[World(rank, 3).share(12)] for rank in range(3)]
    assert rows == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


@pytest.mark.parametrize(("batch", "near"), [(32, "30 or 33"), (2, "3")])
def test_a_batch_must_divide(batch: int, near: str) -> None:
    with pytest.raises(ValueError, match=f"must be a multiple of the 3 processes, got {batch}; take {near}$"):
        World(0, 3).share(batch)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE is set, but RANK, MASTER_ADDR, MASTER_PORT is not"),
        (
            {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "a"},
            "but MASTER_PORT is not; start the",
        ),
        ({"WORLD_SIZE": "two", "RANK": "0", "MASTER_ADDR": "a", "MASTER_PORT": "1"}, "must be whole numbers"),
        ({"WORLD_SIZE": "2", "RANK": "2", "MASTER_ADDR": "a", "MASTER_PORT": "1"}, "got rank 2 of 2"),
    ],
)
def test_an_incomplete_environment_is_named(given: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=words), World.join():
        pass


def test_a_launcher_of_one_process_a_machine_names_no_local_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "", "MASTER_ADDR": "a", "MASTER_PORT": "1"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    taken: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError), World.join(device="cuda"):
        pass
    assert taken == [torch.device("cuda", 0)]


@pytest.mark.parametrize("name", ["mps", "cuda:0"])
def test_processes_cannot_share_a_device(name: str) -> None:
    with pytest.raises(ValueError, match=f"each on its own GPU; got '{name}'"):
        World(0, 2).device(name)


def test_more_processes_than_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert World(4, 8, 0).device("cuda") == torch.device("cuda", 0)
    with pytest.raises(ValueError, match="process 1 of this machine has no GPU, since there are 1"):
        World(5, 8, 1).device("cuda")


def test_the_page_says_what_was_measured_and_its_code_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    text = (ROOT / "docs" / "many-machines.md").read_text("utf-8")
    assert readme.differences(text, ROOT / "benchmarks" / "results") == []
    (code,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    found: dict[str, Any] = {}
    exec(code, found)
    assert found["step"].step == 2
    assert found["loss"] == found["step"].loss_d
