"""``ganexplain train``: make a GAN with a discriminator and a judge that can be explained."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ganexplain.cli._console import Advance
    from ganexplain.data.sets import DataSet
    from ganexplain.data.splits import Split
    from ganexplain.models.gan import GAN
    from ganexplain.training.config import Config
    from ganexplain.training.loop import Step
    from ganexplain.training.record import Recorder

SHORT_JUDGE = 100  # judge steps after an interrupt: the user wants the prompt back


def run(
    out: Annotated[Path, typer.Option("--out", help="Folder of the run: gan.safetensors, metrics.jsonl, samples.")],
    data: Annotated[str, typer.Option("--data", help="fashion-mnist, mnist, digits, NAME:FOLDER, FOLDER, FILE.npz.")],
    preset: Annotated[str, typer.Option("--preset", help="A preset's name, or a .toml file.")] = "dcgan",
    steps: Annotated[int | None, typer.Option("--steps", help="Length of the run; else the preset's.")] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="section.key=value; may be repeated.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Decides weights, noise, order and split.")] = None,
    resolution: Annotated[
        int | None, typer.Option("--resolution", help="Side in pixels; else the images' own.")
    ] = None,
    channels: Annotated[int | None, typer.Option("--channels", help="1 grey, 3 colour; else the images' own.")] = None,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, mps.")] = "cpu",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a GAN that is already in --out.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train a GAN, then its judge; calibrate both critics on held-out images and save all of it as one file.

    Ctrl-C finishes the step, trains a short judge and saves what there is; a second one stops at once.
    """
    from ganexplain.data.sets import open_data
    from ganexplain.training import config as configs

    if (out / "gan.safetensors").exists() and not overwrite:
        raise ValueError(f"{out / 'gan.safetensors'} is already there; choose another --out, or pass --overwrite")
    extra = [f"run.steps={steps}"] * (steps is not None) + [f"run.seed={seed}"] * (seed is not None)
    config = configs.load(preset, [*(overrides or []), *extra])
    place = _device(device)
    job = _job(config, open_data(data, resolution=resolution, channels=channels), place)
    taken, interrupted = _run(job, out, quiet)
    _tell(job, out, taken, interrupted, quiet=quiet, as_json=as_json)
    if interrupted:
        raise KeyboardInterrupt


@dataclass(frozen=True)
class Job:
    """What every stage of a run reads."""

    gan: GAN
    data: DataSet
    split: Split
    config: Config
    device: torch.device

    @property
    def images(self) -> Tensor:
        """The training images."""
        return self.data.images[self.split.train]

    def shortened(self) -> Job:
        """The same with a judge that takes seconds."""
        judge = replace(self.config.judge, steps=min(self.config.judge.steps, SHORT_JUDGE))
        return replace(self, config=replace(self.config, judge=judge))


def _job(config: Config, data: DataSet, device: torch.device) -> Job:
    from ganexplain.data.splits import split
    from ganexplain.models.gan import GAN
    from ganexplain.training.export import check_held_out

    parts = split(data, seed=config.run.seed)
    check_held_out(parts)
    given = {"resolution": data.resolution, "channels": data.channels}
    for name, value in given.items():
        if config.options.get(name, value) != value:
            raise ValueError(f"model.{name}={config.options[name]} does not fit images of {value}; use --{name}")
    gan = GAN.build(config.model["family"], seed=config.run.seed, **{**config.options, **given})
    return Job(gan, data, parts, config, device)


def _run(job: Job, out: Path, quiet: bool) -> tuple[int, bool]:
    """Train, judge, measure and save; the steps taken, and whether an interrupt cut them short."""
    from ganexplain.cli._console import progress
    from ganexplain.training.export import finish, save
    from ganexplain.training.record import Recorder

    total = job.config.run.steps
    recorder = Recorder(out, every=min(50, total), sheets=max(1, min(1000, total // 4)))
    with _interrupts() as interrupted, progress("train", quiet=quiet) as advance:
        taken = _train(job, recorder, interrupted, advance)
        _judge(job.shortened() if interrupted else job, advance)
        advance("measuring", 1.0)
        finish(job.gan, job.data, job.split, job.config, steps=taken, quality={} if interrupted else None)
        save(job.gan, out)
        recorder.sheet(job.gan, "samples.png")
    return taken, bool(interrupted)


def _tell(job: Job, out: Path, taken: int, interrupted: bool, *, quiet: bool, as_json: bool) -> None:
    from ganexplain.cli._console import emit, note

    card, path = job.gan.card, str(out / "gan.safetensors")
    critics = ", ".join(f"{name} AUC {facts['auc']:.3f}" for name, facts in card["critics"].items())
    note(f"{taken} steps on {job.data.name}: {critics}", quiet=quiet)
    if as_json:
        emit({"path": path, "fingerprint": job.gan.fingerprint, "interrupted": interrupted, "card": card})
    else:
        print(path)


def _train(job: Job, recorder: Recorder, interrupted: list[int], advance: Advance) -> int:
    from ganexplain.training.loop import train

    taken, total = 0, job.config.run.steps
    for step in train(job.gan, job.images, job.config, device=job.device):
        recorder.add(step, job.gan)
        taken = step.step
        advance(_words(step, total), taken / total)
        if interrupted:
            break
    recorder.flush()
    return taken


def _words(step: Step, total: int) -> str:
    return f"{step.step}/{total} D {step.loss_d:.3f} G {step.loss_g:.3f} pairs {step.accuracy:.2f}"


def _judge(job: Job, advance: Advance) -> None:
    from ganexplain.training.judge import train_judge

    total = job.config.judge.steps
    for step in train_judge(job.gan, job.images, job.config, device=job.device):
        advance(f"judge {step.step}/{total} right {step.accuracy:.2f}", step.step / total)


def _device(name: str) -> torch.device:
    import torch

    try:
        place = torch.device(name)
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError) as problem:  # torch asserts where it was built without CUDA
        reason = str(problem).splitlines()[0]
        raise ValueError(f"device must be one that torch can use here, such as cpu, got {name!r}: {reason}") from None
    return place


@contextlib.contextmanager
def _interrupts() -> Iterator[list[int]]:
    """A list that the first SIGINT or SIGTERM fills; the second one stops the program at once."""
    caught: list[int] = []

    def handler(number: int, frame: FrameType | None) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(number)

    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, old in before.items():
            signal.signal(number, old)
