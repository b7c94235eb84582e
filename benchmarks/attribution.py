"""Attribution methods here and in the libraries that people use: time, memory, evaluations, gap.

    python -m benchmarks.attribution [--part PART] [--repeats 5] [--only METHOD] [--critic small|wide] [--write]

Both sides run in turns, construction apart, and the medians are compared per evaluation (a row of a batch that the
network ran, counted inside it; here image and baseline are run for verdict and gap, in every method). The floor is that
number of evaluations times the measured cost of one in a batch of 64, on the network in the form that the product runs.
Memory is the peak above what the process held before the call.

Further parts, each with a result of its own (see `benchmarks._domains`): ``domains``, what an evaluation costs in
pixels, regions, frequencies and latent codes; ``forms``, what folding and channels-last gain; ``explain``, the wall
time of a whole explanation on two threads.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks import _domains
from benchmarks._peers import BATCH, Run
from benchmarks._rows import Row, rows
from benchmarks._subjects import WIDTH, Subject, hardware, small, wide
from ganexplain.attribution import METHODS
from ganexplain.models.critic import Critic

RESULT = Path(__file__).parent / "results" / "attribution.json"
LIBRARIES = ("captum", "shap", "lime")
SUBJECTS = {"small": small, "wide": wide}
PARTS = ("libraries", "domains", "forms", "explain")


def cost(subject: Subject, kind: str, repeats: int) -> float:
    """Seconds of one evaluation in a full batch, on the form of the network that the product runs."""
    critic = subject.critic().fast(subject.images)
    x = subject.images[:1].expand(BATCH, *subject.images.shape[1:]).contiguous()

    def forward() -> None:
        with torch.no_grad():
            critic(x)

    def gradient() -> None:
        leaf = x.clone().requires_grad_(True)
        torch.autograd.grad(critic(leaf).sum(), leaf)

    run = forward if kind == "forward" else gradient
    run()
    return median(_seconds(run) for _ in range(2 * repeats)) / BATCH


def measured(row: Row, subject: Subject, repeats: int) -> dict[str, Any]:
    """Both sides of one row on one subject."""
    runs: dict[str, Run] = {"ours": row.ours(subject), "theirs": row.theirs(subject)}
    sides: dict[str, dict[str, Any]] = {}
    for name, run in runs.items():
        before = subject.network.count.rows
        values = run()
        evaluations = subject.network.count.rows - before
        sides[name] = {"evaluations": evaluations, "seconds": [], "memory_mb": []}
        if row.complete:
            sides[name]["gap"] = _gap(subject, values, subject.reals if row.reals else None)
    costs = []
    for _ in range(repeats):  # in turns, so that a slow moment of the machine meets both sides
        costs.append(cost(subject, row.cost, 1))
        for name, run in runs.items():
            seconds, memory = _timed(run)
            sides[name]["seconds"].append(seconds)
            sides[name]["memory_mb"].append(memory)
    for side in sides.values():
        side["seconds"], side["memory_mb"] = median(side["seconds"]), round(median(side["memory_mb"]), 1)
        side["per_evaluation_ms"] = 1e3 * side["seconds"] / side["evaluations"]
    ours, theirs = sides["ours"], sides["theirs"]
    return {
        "method": row.method,
        "critic": subject.name,
        "library": row.library,
        "call": row.call,
        "images": len(subject.images),
        "speedup": theirs["per_evaluation_ms"] / ours["per_evaluation_ms"],
        "over_floor": ours["per_evaluation_ms"] / (1e3 * median(costs)),
        "memory_ratio": ours["memory_mb"] / max(theirs["memory_mb"], 0.1),
        **sides,
    }


def _gap(subject: Subject, values: Tensor, reals: Tensor | None) -> float:
    """Median over images of |sum - change| / |change|, from the baseline or the mean over a set of reals."""
    critic = Critic(subject.network)
    start = critic.logits(subject.baseline) if reals is None else critic.logits(reals).mean()
    change = critic.logits(subject.images) - start
    return float(((values.flatten(1).sum(1) - change).abs() / change.abs()).median())


def _seconds(run: Any) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _timed(run: Run) -> tuple[float, float]:
    """Seconds, and the MiB by which resident memory rose above what it was before, at its highest; Linux only."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # freed memory that the allocator keeps would hide a rise
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    seconds = _seconds(run)
    return seconds, (_status("VmHWM") - before) / 1024


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{key}:")))


def table(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the README: one a method and call, both critics side by side."""
    out: dict[tuple[str, str], dict[str, Any]] = {}
    for one in found:
        row = out.setdefault(
            (one["method"], one["call"]), {"method": one["method"], "beside": f"{one['library']}: {one['call']}"}
        )
        row[f"{one['critic']}: times as fast"] = round(one["speedup"], 2)
        if one["critic"] == "wide":
            row["of its memory"] = f"{one['ours']['memory_mb']:.0f} / {one['theirs']['memory_mb']:.0f} MiB"
            row["time / floor"] = round(one["over_floor"], 2)
    return list(out.values())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", choices=PARTS, default=None, help="all of them if left out")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default="", help="one method")
    parser.add_argument("--critic", choices=tuple(SUBJECTS), default=None)
    parser.add_argument("--write", action="store_true", help="write the result that the README quotes")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    for part in PARTS[1:] if chosen.part is None else (chosen.part,):
        if part != "libraries" and not chosen.only:
            _further(part, chosen)
    if chosen.part in (None, "libraries"):
        _libraries(chosen)


def _further(part: str, chosen: argparse.Namespace) -> None:
    """Measure one of the other parts on the subjects, one image each, and write it if asked to."""
    measure = {"domains": _domains.in_domains, "forms": _domains.forms, "explain": _domains.explanations}[part]
    found: list[dict[str, Any]] = []
    for name, make in SUBJECTS.items():
        if chosen.critic in (None, name):
            found += measure(make(1), chosen.repeats)
    if part == "explain" and chosen.critic is None:
        found += measure(wide(1, WIDTH // 2), chosen.repeats)
    for row in found:
        print("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()), flush=True)
    if chosen.write:
        rounded = [{k: float(f"{v:.3g}") if isinstance(v, float) else v for k, v in row.items()} for row in found]
        about = {"hardware": hardware(), "versions": {"torch": version("torch")}, "repeats": chosen.repeats}
        path = RESULT.with_name(f"attribution_{part}.json")
        path.write_text(json.dumps({**about, "rows": rounded}, indent=2) + "\n")


def _libraries(chosen: argparse.Namespace) -> None:
    found = []
    for row in rows():
        if row.method not in METHODS.names() or chosen.only not in ("", row.method):
            continue
        for index, (name, make) in enumerate(SUBJECTS.items()):
            if chosen.critic in (None, name):
                found.append(measured(row, make(row.images[index]), chosen.repeats))
                _say(found[-1])
    result = {
        "hardware": hardware(),
        "versions": {name: version(name) for name in ("torch", *LIBRARIES)},
        "critics": {name: make(1).about for name, make in SUBJECTS.items()},
        "repeats": chosen.repeats,
        "rows": table(found),
        "measured": found,
    }
    if chosen.write:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(result, indent=2) + "\n")


def _say(one: dict[str, Any]) -> None:
    ours, theirs = one["ours"], one["theirs"]
    gaps = f" gap {ours['gap']:.3f}/{theirs['gap']:.3f}" if "gap" in ours else ""
    print(
        f"{one['method']:22}{one['critic']:6}{one['call']:36} x{one['speedup']:5.2f}  floor x{one['over_floor']:5.2f}  "
        f"evaluations {ours['evaluations']}/{theirs['evaluations']}  s {ours['seconds']:.2f}/{theirs['seconds']:.2f}  "
        f"MiB {ours['memory_mb']:.0f}/{theirs['memory_mb']:.0f}{gaps}",
        flush=True,
    )


if __name__ == "__main__":
    main()
