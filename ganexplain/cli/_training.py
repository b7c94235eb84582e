"""What ``ganexplain train`` does with its options: begins or continues a run, shows it, and ends it on every signal."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from ganexplain.cli._console import Advance, emit, error, note, progress

if TYPE_CHECKING:
    import torch

    from ganexplain.data.sets import DataSet
    from ganexplain.training.config import Config
    from ganexplain.training.folder import Plan
    from ganexplain.training.loop import Step
    from ganexplain.training.run import Run
    from ganexplain.training.world import World

DIVERGED, TERMINATED = 3, 128 + signal.SIGTERM  # exit codes
EVERY = 30.0  # seconds between lines of progress where there is no terminal


@dataclass(frozen=True)
class Asked:
    """The options of the command; None is what was not given."""

    out: Path
    data: str | None
    preset: str | None
    steps: int | None
    overrides: list[str]
    seed: int | None
    resolution: int | None
    channels: int | None
    fit: str | None
    device: str
    resume: bool
    init_from: Path | None
    overwrite: bool
    tensorboard: bool
    quiet: bool
    as_json: bool

    @property
    def changes(self) -> list[str]:
        """Overrides of the config."""
        steps = [f"run.steps={self.steps}"] * (self.steps is not None)
        return [*self.overrides, *steps, *([f"run.seed={self.seed}"] * (self.seed is not None))]


def trained(asked: Asked) -> int:
    """Train, judge, calibrate and save, alone or as one of several processes; the exit code."""
    from ganexplain.training.folder import finished, has_run
    from ganexplain.training.loop import DivergedError
    from ganexplain.training.run import Run
    from ganexplain.training.world import World

    if asked.resume and asked.overwrite:
        raise ValueError("--resume continues a run and --overwrite replaces it; give one of them")
    with World.join(device=asked.device.partition(":")[0]) as world:
        loud = world.first and not asked.quiet
        goes_on = asked.resume and has_run(asked.out)
        if goes_on and finished(asked.out, _config(asked, goes_on).run.steps):
            return _nothing_left(asked, world)
        plan = _plan(asked, world, goes_on)
        options: dict[str, Any] = {"tensorboard": asked.tensorboard}
        if goes_on:
            run = Run.resume(asked.out, plan, **options)
            note(f"the run in {asked.out} goes on after step {run.number} of {run.total}", quiet=not loud)
        else:
            options |= {"init_from": asked.init_from, "overwrite": asked.overwrite}
            run = Run.start(asked.out, plan, **options)
        for said in run.notes:
            note(f"ganexplain: note: {said}", quiet=not loud)
        try:
            return _taken(run, asked, quiet=not loud)
        except DivergedError as problem:
            if world.first:
                error(str(problem))
            return DIVERGED


def _config(asked: Asked, goes_on: bool) -> Config:
    from ganexplain.training import config as configs
    from ganexplain.training.folder import read_record

    if not goes_on:
        return configs.load(asked.preset or "dcgan", asked.changes)
    begun = configs.from_dict(read_record(asked.out)["config"])
    return configs.load(asked.preset, asked.changes) if asked.preset else configs.override(begun, asked.changes)


def _plan(asked: Asked, world: World, goes_on: bool) -> Plan:
    from ganexplain.training.folder import Plan, check_free, read_record

    opened: dict[str, Any] = {}
    if goes_on:
        opened = dict(read_record(asked.out)["data"].get("opened", {}))
    elif world.first:
        check_free(asked.out, overwrite=asked.overwrite)
    given: dict[str, Any] = {"data": asked.data and _absolute(asked.data)}
    given |= {"resolution": asked.resolution, "channels": asked.channels, "fit": asked.fit}
    opened |= {name: value for name, value in given.items() if value is not None}
    if "data" not in opened:
        hint = f"; there is no run in {asked.out} to continue" if asked.resume else ""
        raise ValueError(f"--data must say what to train on, such as fashion-mnist or a folder of images{hint}")
    config = _config(asked, goes_on)
    return Plan.of(_opened(opened), config, device=_usable(asked.device, world), world=world, opened=opened)


def _opened(opened: dict[str, Any]) -> DataSet:
    from ganexplain.data.sets import open_data

    return open_data(opened["data"], **{name: value for name, value in opened.items() if name != "data"})


def _absolute(spec: str) -> str:
    """The path of a folder or file, so that the run can go on from elsewhere; a name as it is."""
    path = Path(spec).expanduser()
    return str(path.absolute()) if path.exists() and len(path.parts) + len(path.suffix) > 1 else spec


def _usable(name: str, world: World) -> torch.device:
    import torch

    try:
        place = world.device(name)
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError) as problem:  # torch asserts where it was built without CUDA
        reason = str(problem).splitlines()[0]
        raise ValueError(f"device must be one that torch can use here, such as cpu, got {name!r}: {reason}") from None
    return place


def _taken(run: Run, asked: Asked, *, quiet: bool) -> int:
    """All steps, or those until a signal; then the judge and the file."""
    world, stopped = run.plan.world, False
    with _signals() as caught:
        with progress("train", quiet=quiet or not _terminal(), done=run.number / run.total) as advance:
            show = _Shown(run, advance, quiet=quiet)
            for step in run:
                show(step)
                stopped = world.any(bool(caught))
                if stopped:
                    break
        stopped = stopped and run.number < run.total
        if not stopped:
            run.complete()
            return _ended(run, asked, caught, short=False, quiet=quiet) if world.first else 0
        name = signal.Signals(caught[0]).name if caught else "a signal to another process"
        run.interrupted(name)
        note(f"{name} after step {run.number}: it is saved in {asked.out}; go on with --resume", quiet=quiet)
        if signal.SIGINT not in caught[:1] or not world.first:
            return TERMINATED
        return _ended(run, asked, caught, short=True, quiet=quiet)


def _ended(run: Run, asked: Asked, caught: list[int], *, short: bool, quiet: bool) -> int:
    """Judge, calibrate and save; of an interrupted run with a judge of some seconds."""
    signals = len(caught)
    steps = run.judging(short).judge.steps
    with progress("judge", quiet=quiet or not _terminal()) as advance:
        for step in run.judge(short=short):
            advance(f"{step.step}/{steps} right {step.accuracy:.2f}", step.step / steps)
            if len(caught) > signals:
                note(f"the judge is not finished; all {run.number} steps are saved: --resume makes it", quiet=quiet)
                return _code(caught)
    run.export(short=short)
    _tell(run, asked, short=short)
    return _code(caught)


def _code(caught: list[int]) -> int:
    if signal.SIGINT in caught[:1]:
        raise KeyboardInterrupt
    return TERMINATED if caught else 0


def _tell(run: Run, asked: Asked, *, short: bool) -> None:
    card, path = run.gan.card, str(asked.out / "gan.safetensors")
    critics = ", ".join(f"{name} AUC {facts['auc']:.3f}" for name, facts in card["critics"].items())
    fd = f", FD {card['quality']['fd']:.1f}" if card["quality"].get("fd") is not None else ""
    words = f"; {card['health']['verdict']}: {card['health']['words']}" if card["health"] else ""
    note(f"{run.number} steps on {run.plan.data.name}{fd}, {critics}{words}", quiet=asked.quiet)
    if asked.as_json:
        emit({"path": path, "fingerprint": run.gan.fingerprint, "interrupted": short, "card": card})
    else:
        print(path)


def _nothing_left(asked: Asked, world: World) -> int:
    from ganexplain.models.gan import GAN

    if not world.first:
        return 0
    path = asked.out / "gan.safetensors"
    gan = GAN.load(path)
    steps = gan.card["steps"]
    note(
        f"the run in {asked.out} has taken its {steps} steps; --steps is a total, so a larger one goes on", quiet=False
    )
    if asked.as_json:
        emit({"path": str(path), "fingerprint": gan.fingerprint, "interrupted": False, "card": gan.card})
    else:
        print(path)
    return 0


class _Shown:
    """Progress: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, run: Run, advance: Advance, *, quiet: bool) -> None:
        self.run, self.advance, self.quiet = run, advance, quiet
        self.begun = self.told = time.monotonic()
        self.first = run.number

    def __call__(self, step: Step) -> None:
        """Show one step."""
        if self.quiet:
            return
        self.advance(self.words(step), step.step / self.run.total)
        now = time.monotonic()
        if not _terminal() and now - self.told >= EVERY:
            self.told = now
            left = (now - self.begun) / (step.step - self.first) * (self.run.total - step.step)
            note(f"train: {self.words(step)}, {_clock(left)} left")

    def words(self, step: Step) -> str:
        """Step, losses, distance, verdict."""
        measured = self.run.evaluations
        fd = measured[-1].get("fd") if measured else None
        skipped = f" skipped {step.skipped}" if step.skipped else ""
        quality = f" FD {fd:.1f}" if fd is not None else ""
        verdict = f" {self.run.verdict}" if self.run.verdict else ""
        return f"{step.step}/{self.run.total} D {step.loss_d:.3f} G {step.loss_g:.3f}{skipped}{quality}{verdict}"


def _clock(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"


def _terminal() -> bool:
    return sys.stderr.isatty()


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
    """A list that the first SIGINT or SIGTERM fills; the second one stops the program at once."""
    caught: list[int] = []

    def handler(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        if len(caught) > 1:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, old in before.items():
            signal.signal(number, old)
