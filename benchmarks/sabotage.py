"""What the diagnostics of training catch, and when they cry wolf: runs with one thing wrong each, and healthy ones.

    python -m benchmarks.sabotage [--seeds 0-4] [--healthy 0-1] [--lines out/sabotage] [--write]

Runs whose lines are in the folder already are read, not run again. One takes some seven seconds of one core: 480 steps
on the digits of scikit-learn, 8x8, with fully connected networks. The thresholds of the diagnostics were chosen on the
seeds 100 and 101; what is published comes from the seeds 0 to 4. How much of a run must be over before classes and
rankings are read was set when alarms early in healthy runs of both had been seen; no verdict at the end depends on it.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks._faults import DATA_SEED, EVALUATE, FAULTS, HEALTHY, LOG, STEPS, Trial, built, repeated
from ganexplain.data.sets import open_data
from ganexplain.data.splits import split
from ganexplain.training.config import Config, load
from ganexplain.training.diagnostics import Facts, Health, History, examine
from ganexplain.training.loop import DivergedError, train
from ganexplain.training.metrics import Measure, critic_means
from ganexplain.training.record import FILE, Recorder

RESULT = Path(__file__).parent / "results" / "sabotage.json"
FAKES = 500
LOUD = ("warn", "fail")


class Bench:
    """The digits, measured as they are meant to be; runs may be given less."""

    def __init__(self) -> None:
        self.data = open_data("digits")
        self.split = split(self.data, seed=DATA_SEED)
        if self.data.labels is None:
            raise ValueError("the digits have labels")
        self.labels: Tensor = self.data.labels

    @cached_property
    def whole(self) -> Measure:
        """Against all digits."""
        return Measure(self.data, self.split)

    @cached_property
    def copied(self) -> Measure:
        """Against a set of few digits, repeated."""
        return Measure(self.data, replace(self.split, train=repeated(self.split.train)))

    def rows(self, trial: Trial) -> Tensor:
        """Of the images that a run is trained on."""
        rows = self.split.train
        return repeated(rows) if trial.copied else rows[~torch.isin(self.labels[rows], torch.tensor(trial.lacks))]

    def facts(self, trial: Trial) -> Facts:
        """Of a run, with the classes as they are meant to be."""
        counts = torch.bincount(self.labels[self.split.train], minlength=len(self.data.class_names)).double()
        shares = dict(zip(self.data.class_names, (counts / counts.sum()).tolist(), strict=True))
        return Facts.of(config(trial, 0), shares=shares)

    def run(self, trial: Trial, seed: int, folder: Path) -> None:
        """Train, and write down what a run writes down."""
        rows = self.rows(trial)
        training = train(built(seed), self.data.images[rows], config(trial, seed))
        if trial.meddle:
            trial.meddle(training)
        own, measure = replace(self.split, train=rows), self.copied if trial.copied else self.whole
        recorder = Recorder(folder, every=LOG, sheets=STEPS + 1)
        try:
            for step in training:
                recorder.add(step, training.gan)
                if step.step % EVALUATE == 0:
                    found = measure.of(training.gan, n_fakes=FAKES)
                    recorder.evaluation(step.step, {**found, "logits": critic_means(training.gan, self.data, own)})
        except DivergedError as problem:
            recorder.event(training.number, "diverged", str(problem))
        recorder.event(training.number, "end", "")

    def history(self, trial: Trial, seed: int, folder: Path) -> History:
        """Of a run, which is made unless its lines lie in the folder."""
        place = folder / f"{trial.name.replace(' ', '-').replace(',', '')}-{seed}"
        facts = self.facts(trial)
        known = History.read(place / FILE, facts) if (place / FILE).exists() else None
        if known is None or not any(event["event"] == "end" for event in known.events):
            start = time.process_time()
            self.run(trial, seed, place)
            print(f"{trial.name}, seed {seed}: {time.process_time() - start:.1f} CPU s", flush=True)
        return History.read(place / FILE, facts)


def config(trial: Trial, seed: int) -> Config:
    """Of a run."""
    return load(trial.preset, [*trial.overrides, f"run.seed={seed}"])


def while_running(history: History) -> Iterator[Health]:
    """The health after each measurement."""
    return (examine(history.until(int(line["step"]))) for line in history.evaluations)


def row(trial: Trial, histories: dict[int, History]) -> dict[str, Any]:
    """What the diagnostics said of all runs of a kind."""
    ends = {seed: examine(history) for seed, history in histories.items()}
    own = trial.own or tuple(r.name for r in next(iter(ends.values())).readings)
    levels = [Counter(health[name].level for name in own) for health in ends.values()]
    first = [
        next((h.step for h in while_running(history) if any(h[name].level in LOUD for name in own)), None)
        for history in histories.values()
    ]
    return {
        "name": trial.name,
        "does": trial.does,
        "own": list(trial.own) or ["any"],
        "runs": len(ends),
        "caught": sum(bool(found["fail"] or found["warn"]) for found in levels),
        "failed": sum(bool(found["fail"]) for found in levels),
        "first_step": median(known) if (known := [step for step in first if step is not None]) else None,
        "verdicts": dict(Counter(health.verdict for health in ends.values())),
        "verdicts_while_running": dict(Counter(h.verdict for x in histories.values() for h in while_running(x))),
        "levels": {
            reading.name: found
            for reading in next(iter(ends.values())).readings
            if (found := dict(Counter(h[reading.name].level for h in ends.values() if h[reading.name].level in LOUD)))
        },
        "readings": {
            str(seed): [[r.name, r.level, r.value, r.unit] for r in health.readings if r.level in LOUD or r.name in own]
            for seed, health in ends.items()
        },
    }


def line(found: dict[str, Any]) -> dict[str, Any]:
    """A line of the table in docs/training.md."""
    own = [name for name in found["own"] if name != "any"]
    others = [name for name in found["levels"] if name not in own]
    return {
        "run": found["name"],
        "what is done to it": found["does"],
        "its own diagnostic": ", ".join(own),
        "runs": found["runs"],
        "caught by it": found["caught"] if own else "",
        "failed": found["failed"] if own else "",
        "verdicts at the end": ", ".join(f"{word} {n}" for word, n in found["verdicts"].items()),
        "others that spoke": ", ".join(others),
    }


def span(text: str) -> list[int]:
    """Whole numbers of a range such as 0-4."""
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=span, default=span("0-4"), help="of the sabotaged runs")
    parser.add_argument("--healthy", type=span, default=span("0-1"), help="of the healthy runs")
    parser.add_argument("--lines", type=Path, default=Path("out/sabotage"), help="where the lines of the runs lie")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    options = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench()
    rows = {
        "healthy": [row(t, {s: bench.history(t, s, options.lines) for s in options.healthy}) for t in HEALTHY],
        "sabotaged": [row(t, {s: bench.history(t, s, options.lines) for s in options.seeds}) for t in FAULTS],
    }
    lines = [line(found) for part in rows.values() for found in part]
    print(json.dumps(lines, indent=1))
    if options.write:
        about = {"seeds": options.seeds, "healthy_seeds": options.healthy, "steps": STEPS, "fakes": FAKES}
        machine = {"processor": platform.processor() or platform.machine(), "torch": str(torch.__version__)}
        RESULT.write_text(json.dumps({**about, "machine": machine, "rows": lines, **rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
