"""Which known modes a GAN of rows finds, beside plain cross-entropy: ``python -m benchmarks.gaussians [--write]``.

A ring of 8 and a grid of 25 narrow Gaussians. A mode is captured with 20 of 5,000 samples within four standard
deviations of its centre. KL is of the modes' shares from equal ones: of these samples, and of all, each counted for
its nearest mode. Both games have the preset's networks, optimiser and moving average; plain cross-entropy has no
penalty. About 12 minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from ganexplain import store
from ganexplain.data.sets import open_data
from ganexplain.data.splits import split
from ganexplain.training.building import build
from ganexplain.training.config import load
from ganexplain.training.loop import train
from ganexplain.training.metrics.classes import modes_2d

RESULT = Path(__file__).parent / "results" / "gaussians.json"
PLAIN = ["loss.name=bce", "loss.penalties=[]"]
GAMES: dict[str, list[str]] = {"rows": [], "rows, plain cross-entropy": PLAIN}
RUNS = {"ring-8": (1000, (0, 1, 2)), "grid-25": (10_000, (0,))}  # steps and seeds
SAMPLES = 5000
SNAPSHOTS = 4


def snapshots(name: str, game: str, steps: int, seed: int) -> Iterator[dict[str, Any]]:
    """What is found at each quarter of a run."""
    data = open_data(name)
    parts = split(data, seed=seed)
    config = load("rows", [*GAMES[game], f"run.steps={steps}", f"run.seed={seed}"])
    gan, clock = build(config, data, parts), time.process_time()
    if data.modes is None or data.sigma is None:
        raise ValueError(f"{name} has no known modes")
    for step in train(gan, data.images[parts.train], config):
        if step.step % (steps // SNAPSHOTS) == 0:
            spent = time.process_time() - clock
            found = modes_2d(gan.samples(SAMPLES, seed=1), data.modes, data.sigma)
            modes = f"{found.captured}/{len(data.modes)}"
            yield {
                "data": f"{name}, {game}", "seed": seed, "steps": step.step, "CPU s": round(spent, 1), "modes": modes,
                "captured": found.captured, "within 4 sd": found.high_quality, "KL within": found.kl,
                "KL nearest": found.kl_nearest,
            }  # fmt: skip
            clock += time.process_time() - clock - spent


def mean(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One line over the seeds."""
    line = {"data": rows[0]["data"], "steps": rows[0]["steps"], "seeds": len(rows)}
    line["modes"] = ", ".join(row["modes"] for row in rows)
    for name in ("CPU s", "within 4 sd", "KL within", "KL nearest"):
        values = [row[name] for row in rows]
        line[name] = "" if None in values else round(sum(values) / len(values), 1 if name == "CPU s" else 3)
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(RUNS), help="one of the data sets")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    every: list[dict[str, Any]] = []
    for name, (steps, seeds) in RUNS.items():
        for game in GAMES:
            for seed in seeds if options.only in (None, name) else ():
                for row in snapshots(name, game, steps, seed):
                    every.append(row)
                    print(json.dumps(row), flush=True)
    keys = dict.fromkeys((row["data"], row["steps"]) for row in every)
    rows = [mean([r for r in every if (r["data"], r["steps"]) == key]) for key in keys]
    result = {"machine": platform.processor() or platform.machine(), "samples": SAMPLES, "rows": rows, "every": every}
    print(json.dumps(rows, indent=1))
    if options.write:
        store.write_bytes(RESULT, f"{json.dumps(result, indent=1, allow_nan=False)}\n".encode())


if __name__ == "__main__":
    main()
