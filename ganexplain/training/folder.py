"""The folder of a run: what lies in it, what the run began with, and whether it can go on."""

from __future__ import annotations

import datetime
import json
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import ganexplain
from ganexplain import store
from ganexplain.data.recorded import record
from ganexplain.data.sets import DataSet
from ganexplain.data.splits import Split, split
from ganexplain.training import config as configs
from ganexplain.training import events
from ganexplain.training.checkpoints import Checkpoints
from ganexplain.training.config import Config
from ganexplain.training.export import check_held_out
from ganexplain.training.metrics import Extractor
from ganexplain.training.record import FILE as METRICS
from ganexplain.training.world import World

KIND, SCHEMA = "ganexplain run", 1
RECORD, MODEL, HEALTH, CHECKPOINTS, SHEETS = (
    *("run.json", "gan.safetensors", "health.json"),
    *("checkpoints", "samples-*.png"),
)
MAX_RECORD_BYTES = 16 * 2**20
SAME = ("processor", "device", "threads", "world", "versions")  # what the last bits of a result depend on


@dataclass(frozen=True, eq=False)
class Plan:
    """What a run is made of; make it with `Plan.of`.

    Attributes:
        data: images or rows.
        split: which of them train.
        config: the run.
        device: where to compute.
        world: the processes of the run.
        opened: how the data were opened, so that they can be opened again; plain JSON.
        extractor: the feature space of measurements; None takes `ganexplain.training.metrics.extractor_for`.
    """

    data: DataSet
    split: Split
    config: Config
    device: torch.device
    world: World
    opened: Mapping[str, Any] = field(default_factory=dict)
    extractor: Extractor | None = None

    @classmethod
    def of(
        cls,
        data: DataSet,
        config: Config,
        *,
        device: str | torch.device = "cpu",
        world: World | None = None,
        opened: Mapping[str, Any] | None = None,
        extractor: Extractor | None = None,
    ) -> Plan:
        """The plan for a data set and a config; the held-out rows are decided by ``run.seed``.

        Raises:
            ValueError: too few images to hold some out, or a batch that the processes cannot share.
        """
        world = world or World()
        world.share(config.run.batch)
        parts = split(data, seed=config.run.seed)
        check_held_out(parts)
        return cls(data, parts, config, world.device(device), world, opened or {}, extractor)

    def facts(self) -> dict[str, Any]:
        """What besides config and data decides the bits of a result: processor, device, threads, versions."""
        return {
            "processor": _processor(self.device),
            "device": str(self.device),
            "threads": torch.get_num_threads(),
            "world": self.world.size,
            "versions": {
                "ganexplain": ganexplain.__version__,
                "torch": str(torch.__version__),
                "python": platform.python_version(),
            },
            "host": platform.node(),
            "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }


def check_free(folder: str | Path, *, overwrite: bool = False) -> None:
    """Refuse a folder that holds a run or a GAN, unless it is to be replaced.

    Raises:
        ValueError: it is a file, or holds one.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"a run is a folder, and {folder} is a file; name another folder")
    for name in (RECORD, MODEL, CHECKPOINTS):
        if (folder / name).exists() and not overwrite:
            raise ValueError(
                f"{folder / name} is already there; continue that run (--resume), choose another folder (--out), "
                "or replace it (--overwrite)"
            )


def cleared(folder: str | Path) -> Path:
    """The folder, made if missing, without what a run of before left in it; other files stay."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for pattern in (RECORD, MODEL, METRICS, HEALTH, SHEETS):
        for old in folder.glob(pattern):
            old.unlink()
    for name in (CHECKPOINTS, events.FOLDER):
        shutil.rmtree(folder / name, ignore_errors=True)
    return folder


def write_record(folder: Path, plan: Plan, **more: Any) -> None:
    """Write ``run.json``: config, data with split, seed, versions, threads, device, and whatever else is given."""
    facts = {"kind": KIND, "schema": SCHEMA, "seed": plan.config.run.seed, **plan.facts(), "resumed": [], **more}
    facts["config"] = plan.config.as_dict()
    facts["data"] = {**record(plan.data, plan.split), "opened": dict(plan.opened)}
    store.write_json(folder / RECORD, facts)


def add_resumed(folder: Path, recorded: dict[str, Any], plan: Plan, step: int) -> None:
    """Note in ``run.json`` that the run goes on after ``step``, with which config, and where."""
    resumed = [*recorded["resumed"], {"step": step, **plan.facts()}]
    store.write_json(folder / RECORD, {**recorded, "config": plan.config.as_dict(), "resumed": resumed})


def has_run(folder: str | Path) -> bool:
    """Whether a run was begun in the folder."""
    return (Path(folder) / RECORD).is_file()


def finished(folder: str | Path, steps: int) -> bool:
    """Whether the run has taken ``steps`` steps, and its GAN was written after the last of them."""
    folder = Path(folder)
    taken = Checkpoints(folder / CHECKPOINTS).steps()
    if not taken or taken[-1] < steps or not store.is_own(folder / MODEL):
        return False
    card = store.load_tensors(folder / MODEL)[1].get("card", {})
    return bool(card.get("complete")) and card.get("steps") == taken[-1]


def read_record(folder: str | Path) -> dict[str, Any]:
    """What ``run.json`` holds.

    Raises:
        FileNotFoundError: there is no run in the folder.
        ValueError: the file is damaged or of another kind or version.
    """
    path = Path(folder) / RECORD
    if not path.is_file():
        raise FileNotFoundError(f"no run in {folder}: it has no {RECORD}; name the folder of a run, or start one")
    try:
        if path.stat().st_size > MAX_RECORD_BYTES:
            raise ValueError(f"it has more than {MAX_RECORD_BYTES} bytes")
        facts = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"{path} is damaged ({problem}); put a copy back, or start anew") from problem
    if not isinstance(facts, dict) or facts.get("kind") != KIND:
        raise ValueError(f"{path} is not the record of a run of ganexplain; name another folder")
    if facts.get("schema") != SCHEMA:
        raise ValueError(
            f"{path} was written by another version (schema {facts.get('schema')}, this reads {SCHEMA}); "
            "resume with that version of ganexplain, or start anew"
        )
    parts = {"config": dict, "data": dict, "resumed": list}
    lacking = [name for name, kind in parts.items() if not isinstance(facts.get(name), kind)]
    if lacking:
        raise ValueError(f"{path} is damaged (no valid {', '.join(lacking)}); put a copy back, or start anew")
    return facts


def check_config(recorded: Mapping[str, Any], config: Config) -> list[str]:
    """Notes on what may differ from the config that a run began with.

    Args:
        recorded: of ``run.json``.
        config: of the run that goes on.

    Raises:
        ValueError: a field that may not; ``watch`` may change, and ``run.steps`` may grow.
    """
    changes = configs.from_dict(recorded["config"]).changed(config)
    changes = {name: pair for name, pair in changes.items() if name != "about" and not name.startswith("watch.")}
    longer = changes.get("run.steps")
    if longer and longer[1] > longer[0]:
        del changes["run.steps"]
    if changes:
        listed = ", ".join(f"{name} {_shown(old)} -> {_shown(new)}" for name, (old, new) in changes.items())
        raise ValueError(
            f"the config is not the one that the run began with: {listed}; leave it as it was, or start a new run "
            "from these weights (--init-from)"
        )
    if not longer or longer[1] <= longer[0] or not _scheduled(config):
        return []
    return [
        f"run.steps is {longer[1]} instead of {longer[0]}, and the schedules follow it: the result is not that of a "
        f"run begun with {longer[1]} steps"
    ]


def differences(recorded: Mapping[str, Any], plan: Plan) -> list[str]:
    """A note for what makes the bits of a continued run differ from those of one that was never stopped."""
    before = (recorded["resumed"] or [recorded])[-1]
    now = plan.facts()
    found = []
    for name in SAME:
        old, new = (_flat(name, facts.get(name)) for facts in (before, now))
        pairs = {key: (old.get(key), new.get(key)) for key in sorted({*old, *new})}
        found += [f"{key} {a} -> {b}" for key, (a, b) in pairs.items() if a != b]
    if not found:
        return []
    return [f"the run goes on, but not bit for bit as it would have without the stop: {', '.join(found)}"]


def _scheduled(config: Config) -> bool:
    """Whether anything depends on how long the run is."""
    decays = config.optim.decay_from < 1 and config.optim.decay_to != 1
    return decays or config.run.burn_in > 0


def _flat(name: str, value: Any) -> dict[str, Any]:
    return {f"{key}": part for key, part in value.items()} if isinstance(value, Mapping) else {name: value}


def _shown(value: Any) -> str:
    return "(absent)" if value is None else json.dumps(value)


def _processor(device: torch.device) -> str:
    """The model of what computes, and the instructions that torch uses on it."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    capability = torch.backends.cpu.get_cpu_capability()
    name = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            models = (line.partition(":")[2].strip() for line in file if line.startswith("model name"))
            name = next(models, name)
    return f"{name} ({capability})"
