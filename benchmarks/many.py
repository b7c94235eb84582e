"""One run on two processes: what keeps replicas in step under gradient penalties, how near one process, how fast.

    python -m benchmarks.many [--updates 20] [--steps 20] [--rounds 5] [--write]

Two processes are started by torchrun on this machine and talk by gloo, each with one thread. The discriminator of the
default preset is updated by Adam on equal halves of a batch of noise images, with the flat all_reduce of
`ganexplain.training.world`, with DistributedDataParallel and with FSDP2; one process with the whole batch is the
reference. Then the default preset itself trains at 28x28, by one process and by both, in turns.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from benchmarks._subjects import hardware
from ganexplain import tensors
from ganexplain.models.gan import GAN
from ganexplain.training import losses
from ganexplain.training.config import Config, load
from ganexplain.training.loop import train
from ganexplain.training.penalties import squared_slope
from ganexplain.training.world import World

FOLDER = Path(__file__).parent / "results"
BATCH, SIDE = 32, 28
Goal = Callable[[nn.Module, Tensor, Tensor], Tensor]


def adversarial(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    return losses.get("relativistic").discriminator(critic(real), critic(fake))


def penalty(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    return 0.5 * sum(squared_slope(critic, batch)[1].mean() for batch in (real, fake))


def both(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    (logits, slope), (against, other) = squared_slope(critic, real), squared_slope(critic, fake)
    return losses.get("relativistic").discriminator(logits, against) + 0.5 * (slope.mean() + other.mean())


GOALS: dict[str, Goal] = {"loss": adversarial, "loss + R1 + R2": both, "R1 + R2 alone": penalty}
FLAT, DDP, UNUSED, PAST, FSDP = (
    "replicas, flat all_reduce",
    "DistributedDataParallel",
    "DistributedDataParallel(find_unused_parameters=True)",
    "DistributedDataParallel, penalty by its .module",
    "FSDP2 fully_shard",
)
CASES = [
    *((setup, name) for setup in (FLAT, DDP) for name in ("loss + R1 + R2", "R1 + R2 alone")),
    *((setup, "R1 + R2 alone") for setup in (UNUSED, PAST)),
    *((FSDP, name) for name in GOALS),
]


def configured() -> Config:
    return load("dcgan", ["run.batch=32", "run.steps=100000"])


def gan() -> GAN:
    return GAN.build("dcgan", resolution=SIDE, channels=1, **configured().options)


def wrapped(setup: str, critic: nn.Module, world: World) -> nn.Module:
    if setup in (DDP, UNUSED, PAST):
        whole = DistributedDataParallel(critic, find_unused_parameters=setup == UNUSED)
        return critic if setup == PAST else whole
    if setup == FSDP:
        return fully_shard(critic, mesh=dist.device_mesh.init_device_mesh("cpu", (world.size,)))
    return critic


@dataclass
class Found:
    """Gradients of the first update, weights after the last one that did not raise, and what the next one said."""

    gradients: dict[str, Tensor] = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)
    updates: int = 0
    error: str = ""


def updated(setup: str, goal: Goal, world: World, updates: int) -> Found:
    """So many updates of a discriminator, or as many as there are before an error."""
    critic, found = gan().discriminator, Found()
    judge = wrapped(setup, critic, world)
    adam = torch.optim.Adam(critic.parameters(), lr=5e-4, betas=(0.0, 0.99))
    for number in range(updates):
        drawn = (tensors.normal(0, kind, number, shape=(BATCH, 1, SIDE, SIDE)) for kind in ("real", "fake"))
        real, fake = (batch.tanh()[world.share(BATCH)] for batch in drawn)
        adam.zero_grad()
        try:
            torch.autograd.backward(goal(judge, real, fake))
        except RuntimeError as error:
            found.error = str(error).splitlines()[0]
            break
        if setup == FLAT:
            world.average(critic.parameters())
        if not number:
            found.gradients = {n: entire(p.grad) for n, p in critic.named_parameters() if p.grad is not None}
        adam.step()
        found.updates, found.weights = number + 1, {n: entire(p) for n, p in critic.named_parameters()}
    return found


def entire(tensor: Tensor) -> Tensor:
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).detach().clone()


def apart(world: World, found: dict[str, Tensor]) -> float:
    """Largest difference between the processes."""
    flat = torch.cat([t.reshape(-1) for t in found.values()])
    others = [torch.empty_like(flat) for _ in range(world.size)]
    dist.all_gather(others, flat)
    return float(max((other - flat).abs().max() for other in others))


def compared(world: World, updates: int) -> list[dict[str, Any]]:
    """One row for each way to update."""
    rows = []
    for setup, name in CASES:
        found = updated(setup, GOALS[name], world, updates)
        row: dict[str, Any] = {"setup": setup, "backward of": name, "updates": found.updates, "error": found.error}
        if found.updates:
            alone = updated(FLAT, GOALS[name], World(), 1).gradients
            largest = max(float(g.abs().max()) for g in alone.values())
            row["gradient"] = max(float((found.gradients[n] - g).abs().max()) for n, g in alone.items()) / largest
            row["weights"] = apart(world, found.weights)
        rows.append(row)
    return rows


def seconds(world: World, images: Tensor, steps: int) -> tuple[float, float]:
    """Seconds a step, and those of this process's processor time, after one step that is not counted."""
    training = train(gan(), images, configured(), world=world)
    next(training)
    start, busy = time.perf_counter(), time.process_time()
    for _ in range(steps):
        next(training)
    return (time.perf_counter() - start) / steps, (time.process_time() - busy) / steps


def timed(world: World, steps: int, rounds: int) -> dict[str, Any]:
    """The fastest of ``rounds`` for one process, while the other waits, and for both, in turns."""
    images = torch.from_numpy(tensors.rng(0, "images").integers(0, 256, (512, 1, SIDE, SIDE), "uint8"))
    alone, together = [], []
    for _ in range(rounds):
        if world.first:
            alone.append(seconds(World(), images, steps))
        world.barrier()
        together.append(seconds(world, images, steps))
        world.barrier()
    nets = gan()
    weights = [sum(p.numel() for p in net.parameters()) for net in (nets.discriminator, nets.generator)]
    flat = torch.ones(max(weights))
    start = time.perf_counter()
    for _ in range(20):
        dist.all_reduce(flat)
    return {
        "alone": [min(values, default=0.0) for values in zip(*alone, strict=True)],
        "together": [min(values) for values in zip(*together, strict=True)],
        "all_reduce": (time.perf_counter() - start) / 20,
        "weights": weights,
    }


def work(chosen: argparse.Namespace) -> None:
    """What each of the two processes does."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    with World.join() as world:
        times = timed(world, chosen.steps, chosen.rounds)
        found = {"load": load, "times": times, "rows": compared(world, chosen.updates), "hardware": hardware()}
        if world.first:
            Path(chosen.work).write_text(json.dumps(found))


def started(chosen: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "found.json"
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m"]
        command += ["benchmarks.many", "--work", str(output)]
        command += [f"--{name}={getattr(chosen, name)}" for name in ("updates", "steps", "rounds")]
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        result: dict[str, Any] = json.loads(output.read_text())
        return result


def told(found: dict[str, Any], chosen: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two results, each with the rows of its table in docs/many-machines.md."""
    rows = [
        {
            "": row["setup"],
            "backward of": row["backward of"],
            "updates before it raises": row["updates"] if row["error"] else "never",
            "gradient's error": row.get("gradient", ""),
            "distance of the two processes' weights": row.get("weights", ""),
        }
        for row in found["rows"]
    ]
    errors = {f"{row['setup']}, {row['backward of']}": row["error"] for row in found["rows"] if row["error"]}
    where = {"hardware": f"{found['hardware']} in each process, {os.cpu_count()} processors"}
    load_before = round(found["load"], 1)
    times = found["times"]
    speed = [
        {"": word, "images a process": BATCH // n, "ms a step": round(1000 * times[name][0], 1),
         "ms of processor time, each": round(1000 * times[name][1], 1),
         "speed": round(times["alone"][0] / times[name][0], 2)}
        for n, word, name in ((1, "one process", "alone"), (2, "two processes", "together"))
    ]  # fmt: skip
    flat = {"ms of the larger all_reduce": round(1000 * times["all_reduce"], 2), "weights": times["weights"]}
    return (
        {**where, "updates": chosen.updates, "rows": rows, "errors": errors},
        {**where, "steps": chosen.steps, "rounds": chosen.rounds, "load before": load_before, "rows": speed, **flat},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=20, help="of the discriminator, for the comparison")
    parser.add_argument("--steps", type=int, default=20, help="of training, for the times")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="write the results that the documentation quotes")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work:
        work(chosen)
        return
    results = told(started(chosen), chosen)
    for name, result in zip(("many", "many_time"), results, strict=True):
        print(json.dumps(result, indent=2))
        if chosen.write:
            (FOLDER / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
