"""``ganexplain train``: make a GAN with a discriminator and a judge that can be explained."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ganexplain.cli._console import Advance
    from ganexplain.data.sets import DataSet
    from ganexplain.data.splits import Split
    from ganexplain.models.gan import GAN
    from ganexplain.training.config import Config
    from ganexplain.training.loop import Step

SHORT_JUDGE = 100  # judge steps after an interrupt: the user wants the prompt back


def run(
    out: Annotated[Path, typer.Option("--out", help="Folder of the run: gan.safetensors, metrics.jsonl, samples.")],
    data: Annotated[str, typer.Option("--data", help="fashion-mnist, digits, FOLDER (subfolders: classes), FILE.npz.")],
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
    from ganexplain.cli._console import emit, note, progress
    from ganexplain.data.sets import open_data
    from ganexplain.data.splits import split
    from ganexplain.training import config as configs
    from ganexplain.training.export import check_held_out, save
    from ganexplain.training.record import Recorder

    path = out / "gan.safetensors"
    if path.exists() and not overwrite:
        raise ValueError(f"{path} is already there; choose another --out, or pass --overwrite")
    extra = [f"run.steps={steps}"] * (steps is not None) + [f"run.seed={seed}"] * (seed is not None)
    config = configs.load(preset, [*(overrides or []), *extra])
    place = _device(device)
    images = open_data(data, resolution=resolution, channels=channels)
    parts = split(images, seed=config.run.seed)
    check_held_out(parts)
    gan = _built(config, images)
    recorder = Recorder(out, every=min(50, config.run.steps), sheets=max(1, min(1000, config.run.steps // 4)))
    with _interrupts() as interrupted, progress("train", quiet=quiet) as advance:
        taken = _train(gan, images, parts, config, place, recorder, interrupted, advance)
        _judge(gan, images, parts, _shortened(config) if interrupted else config, place, advance)
        advance("measuring", 1.0)
        _finish(gan, images, parts, config, taken, measured=not interrupted)
    save(gan, out)
    recorder.sheet(gan, "samples.png")
    critics = ", ".join(f"{name} AUC {facts['auc']:.3f}" for name, facts in gan.card["critics"].items())
    note(f"{taken} steps on {images.name}: {critics}", quiet=quiet)
    if as_json:
        emit({"path": str(path), "fingerprint": gan.fingerprint, "interrupted": bool(interrupted), "card": gan.card})
    else:
        print(path)
    if interrupted:
        raise KeyboardInterrupt


def _built(config: Config, data: DataSet) -> GAN:
    from ganexplain.models.gan import GAN

    given = {"resolution": data.resolution, "channels": data.channels}
    for name, value in given.items():
        if config.options.get(name, value) != value:
            raise ValueError(f"model.{name}={config.options[name]} does not fit images of {value}; use --{name}")
    return GAN.build(config.model["family"], seed=config.run.seed, **{**config.options, **given})


def _train(
    gan: GAN,
    data: DataSet,
    parts: Split,
    config: Config,
    place: Any,
    recorder: Any,
    interrupted: list[int],
    advance: Advance,
) -> int:
    from ganexplain.training.loop import train

    taken = 0
    for step in train(gan, data.images[parts.train], config, device=place):
        recorder.add(step, gan)
        taken = step.step
        advance(_words(step, config.run.steps), taken / config.run.steps)
        if interrupted:
            break
    recorder.flush()
    return taken


def _words(step: Step, total: int) -> str:
    return f"{step.step}/{total} D {step.loss_d:.3f} G {step.loss_g:.3f} pairs {step.accuracy:.2f}"


def _judge(gan: GAN, data: DataSet, parts: Split, config: Config, place: Any, advance: Advance) -> None:
    from ganexplain.training.judge import train_judge

    for step in train_judge(gan, data.images[parts.train], config, device=place):
        advance(f"judge {step.step}/{config.judge.steps} right {step.accuracy:.2f}", step.step / config.judge.steps)


def _finish(gan: GAN, data: DataSet, parts: Split, config: Config, taken: int, *, measured: bool) -> None:
    from ganexplain.training.export import finish

    finish(gan, data, parts, config, steps=taken, quality=None if measured else {})


def _shortened(config: Config) -> Config:
    from dataclasses import replace

    return replace(config, judge=replace(config.judge, steps=min(config.judge.steps, SHORT_JUDGE)))


def _device(name: str) -> Any:
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
