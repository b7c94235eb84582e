"""A run: a folder in which a GAN is trained, written down, measured and saved, and goes on after any stop."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from ganexplain import store, tensors
from ganexplain.data.recorded import check_same
from ganexplain.models.gan import GAN
from ganexplain.training import folder as folders
from ganexplain.training.building import build, class_shares
from ganexplain.training.checkpoints import Checkpoints
from ganexplain.training.config import Config
from ganexplain.training.diagnostics import Facts, History, examine
from ganexplain.training.events import Events
from ganexplain.training.export import finish, save
from ganexplain.training.folder import Plan
from ganexplain.training.judge import JudgeStep, train_judge
from ganexplain.training.loop import DivergedError, Step, train
from ganexplain.training.metrics import Measure, critic_means
from ganexplain.training.record import Recorder
from ganexplain.training.starting import start_from

SHORT_JUDGE = 100  # judge steps of a GAN that is exported at an interrupt: some seconds
LEAST_SHEETS = 4  # of a short run


class Run(Iterator[Step]):
    """Steps of a training that is written down in a folder; made by `Run.start` and `Run.resume`.

    Advancing it takes a step and then does what is due: a line of ``metrics.jsonl``, a sheet, a measurement, a
    checkpoint. None of that changes the weights. In a run of several processes all of them advance it alike, and the
    first one writes.

    Attributes:
        folder: where.
        plan: data, config, device, processes.
        gan: what is trained; its generator is the moving average.
        training: the loop.
        notes: what its user should know about how it was begun.
        health: what `ganexplain.training.diagnostics.examine` said last; empty before the first measurement.
    """

    def __init__(self, folder: Path, plan: Plan, gan: GAN, recorder: Recorder | None) -> None:
        self.folder, self.plan, self.gan, self.recorder = folder, plan, gan, recorder
        images, labels = plan.data.images[plan.split.train], None
        if plan.config.conditional and plan.data.labels is not None:
            labels = plan.data.labels[plan.split.train]
        self._labels = labels
        if plan.data.feature_names:  # sheets show generated rows over real ones
            gan.reals = plan.data.images[plan.split.held_out]
        self.training = train(gan, images, plan.config, labels=labels, device=plan.device, world=plan.world)
        self.checkpoints = Checkpoints(folder / folders.CHECKPOINTS, plan.config.watch.keep)
        self.notes: list[str] = []
        self.health: Mapping[str, Any] = {}
        self._saved = -1
        self._measure: Measure | None = None

    @classmethod
    def start(
        cls,
        folder: str | Path,
        plan: Plan,
        *,
        init_from: str | Path | None = None,
        overwrite: bool = False,
        tensorboard: bool = False,
    ) -> Self:
        """A new run in a folder without one.

        Args:
            folder: made if missing.
            plan: what to train on what.
            init_from: weights to begin with, see `ganexplain.training.starting.start_from`; None draws them.
            overwrite: replace what a run of before left in the folder.
            tensorboard: also write events for TensorBoard.

        Raises:
            ValueError: the folder holds a run, or the weights do not fit.
        """
        folder, first = Path(folder), plan.world.first
        if first:
            folders.check_free(folder, overwrite=overwrite)
        gan = build(plan.config, plan.data, plan.split)
        init = None if init_from is None else start_from(gan, init_from)
        if first:
            folders.cleared(folder)
        run = cls(folder, plan, gan, _recorder(folder, plan, None, tensorboard) if first else None)
        if first:
            folders.write_record(folder, plan, init_from=init)
        if run.recorder:
            run.recorder.sheet(gan, "samples-000000.png")
        run.save()
        return run

    @classmethod
    def resume(cls, folder: str | Path, plan: Plan, *, tensorboard: bool = False) -> Self:
        """The run in a folder, as it was after the step of its newest intact checkpoint.

        With the same processor, threads and versions it goes on bit for bit as if it had never stopped; else ``notes``
        says what differs.

        Args:
            folder: of the run.
            plan: with the data and config of the run; ``watch`` may differ, and ``run.steps`` may be larger.
            tensorboard: also write events for TensorBoard.

        Raises:
            FileNotFoundError: there is no run.
            ValueError: another config or other data, or no checkpoint that can be read.
        """
        folder = Path(folder)
        recorded = folders.read_record(folder)
        notes = folders.check_config(recorded, plan.config)
        check_same(recorded["data"], plan.data, plan.split)
        notes += folders.differences(recorded, plan)
        found = Checkpoints(folder / folders.CHECKPOINTS).load()
        if found is None:
            raise ValueError(f"the run in {folder} has no checkpoint; start it anew (--overwrite)")
        state, damage = found
        step = int(state["training"]["number"])
        recorder = _recorder(folder, plan, step, tensorboard) if plan.world.first else None
        run = cls(folder, plan, build(plan.config, plan.data, plan.split), recorder)
        run.training.load(state["training"])
        run.health, run._saved, run.notes = state["health"], step, [*damage, *notes]
        if recorder:
            recorder.load(state["recorder"])
            recorder.event(step, "resume", "; ".join(run.notes) or f"the run goes on after step {step}")
            folders.add_resumed(folder, recorded, plan, step)
        return run

    @property
    def number(self) -> int:
        """The last step that was taken."""
        return self.training.number

    @property
    def total(self) -> int:
        """How many steps the run has in all."""
        return self.plan.config.run.steps

    @property
    def verdict(self) -> str:
        """Of the last examination; empty before the first."""
        return str(self.health.get("verdict", ""))

    @property
    def evaluations(self) -> list[dict[str, Any]]:
        """What the measurements found; empty in processes that do not write."""
        lines = self.recorder.lines if self.recorder else []
        return [line for line in lines if line["kind"] == "evaluation"]

    def __iter__(self) -> Self:
        """The iterator itself."""
        return self

    def __next__(self) -> Step:
        """Take the next step, and do what is due after it."""
        try:
            step = next(self.training)
        except DivergedError as problem:
            raise self._diverged(problem) from problem
        watch = self.plan.config.watch
        if self.recorder:
            self.recorder.add(step, self.gan)
        measured, best = bool(watch.evaluate) and step.step % watch.evaluate == 0, False
        if measured:
            best = self._agreed(self.recorder is not None and self.measure())
        if best or step.step % watch.save == 0:
            self.save(best=best)
        if step.step % _sheets(self.plan.config) == 0:
            self.plan.world.barrier()  # a sheet may take longer than an update lets the others wait
        return step

    def measure(self) -> bool:
        """Measure samples of the average generator now; whether their distance is the lowest so far.

        Only the first process may call it.
        """
        plan, recorder = self.plan, self.recorder
        if recorder is None:
            return False
        if self._measure is None:
            self._measure = Measure(plan.data, plan.split, extractor=plan.extractor, seed=plan.config.run.seed)
        before = [line["fd"] for line in self.evaluations if line["fd"] is not None]
        with tensors.isolated():
            try:
                found = self._measure.of(self.gan, n_fakes=plan.config.watch.fakes)
                logits = critic_means(self.gan, plan.data, plan.split, seed=plan.config.run.seed)
            except ValueError as problem:  # samples that are not finite: the run may still come out of it
                recorder.event(self.number, "not measured", str(problem))
                return False
        recorder.evaluation(self.number, {**found, "logits": logits})
        self.examine()
        fd = found["fd"]
        return fd is not None and math.isfinite(fd) and fd < min(before, default=math.inf)

    def examine(self) -> None:
        """Let the diagnostics look at all lines, and write what they say to ``health.json``."""
        if self.recorder is None:
            return
        facts = Facts.of(self.plan.config, shares=class_shares(self.plan.data, self.plan.split))
        self.health = examine(History(self.recorder.lines, facts)).to_dict()
        store.write_json(self.folder / folders.HEALTH, self.health)

    def save(self, *, best: bool = False) -> None:
        """Save a checkpoint of the last step; all processes must call it together."""
        training = self.training.state()
        if self.recorder and (best or self._saved != self.number):
            state = {"training": training, "recorder": self.recorder.state(), "health": self.health}
            self.checkpoints.save(state, self.number, best=best)
        self._saved = self.number
        self.plan.world.barrier()

    def interrupted(self, signal: str) -> None:
        """Write down that the run was stopped from outside, and save; all processes must call it together."""
        if self.recorder:
            self.recorder.event(self.number, "interrupt", f"{signal} after step {self.number}")
            self.recorder.close()
        self.save()

    def complete(self) -> None:
        """Write the last line, measure and save what is trained, if that is not done; together, like `save`."""
        best = False
        if self.recorder:
            self.recorder.flush()
            if self.number not in [line["step"] for line in self.evaluations]:
                best = self.measure()
            if not (self.folder / f"samples-{self.number:06d}.png").exists():
                self.recorder.sheet(self.gan, f"samples-{self.number:06d}.png")
            self.recorder.close()
        self.save(best=self._agreed(best))
        self.training.close()

    def judging(self, short: bool) -> Config:
        """The config of the judge's training."""
        config = self.plan.config
        steps = min(config.judge.steps, SHORT_JUDGE) if short else config.judge.steps
        return replace(config, judge=replace(config.judge, steps=steps))

    def judge(self, *, short: bool = False) -> Iterator[JudgeStep]:
        """Train the judge, in the first process alone; see `ganexplain.training.judge.train_judge`.

        Args:
            short: take seconds, for a run that was interrupted.
        """
        plan = self.plan
        images, config = plan.data.images[plan.split.train], self.judging(short)
        return train_judge(self.gan, images, config, labels=self._labels, device=plan.device)

    def export(self, *, short: bool = False) -> Path:
        """Calibrate the critics on held-out data and write ``gan.safetensors``, in the first process alone.

        Args:
            short: the run was interrupted, and its judge had little training; the card says so.
        """
        plan = self.plan
        at_end = [line for line in self.evaluations if line["step"] == self.number]
        quality = {k: v for line in at_end for k, v in line.items() if k not in ("kind", "step", "seconds")}
        finish(self.gan, plan.data, plan.split, self.judging(short), steps=self.number, quality=quality)
        self.gan.card["health"] = dict(self.health)
        self.gan.card["complete"] = not short and self.number >= self.total
        self.gan.card["best_step"] = self.checkpoints.best
        return save(self.gan, self.folder)

    def _agreed(self, best: bool) -> bool:
        """What the first process says, once it has come here; the others wait longer than an update would let them."""
        self.plan.world.barrier()
        return self.plan.world.any(best)

    def _diverged(self, problem: DivergedError) -> DivergedError:
        """The error with the checkpoint to go back to."""
        if self.recorder:
            self.recorder.flush()
            self.recorder.event(self.number + 1, "diverged", str(problem))
            self.examine()
        step = self.checkpoints.steps()[-1]
        path = self.checkpoints.path(step)
        return DivergedError(
            f"{problem}, and start anew from the last good checkpoint: --init-from {path} (step {step})"
        )


def _recorder(folder: Path, plan: Plan, after: int | None, tensorboard: bool) -> Recorder:
    config = plan.config
    events = Events(folder, after=after) if tensorboard else None
    every = min(config.watch.log, config.run.steps)
    return Recorder(folder, every=every, sheets=_sheets(config), after=after, events=events)


def _sheets(config: Config) -> int:
    return int(min(config.watch.sheet, max(1, config.run.steps // LEAST_SHEETS)))
