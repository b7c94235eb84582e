"""What `explain` and `demo` share: explain image by image, write the report, keep what an interrupt leaves."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from torch import Tensor

    from ganexplain.explanation import Explainer, Explanation
    from ganexplain.report.directions import Discovery
    from ganexplain.report.report import Report

SLOW = 20.0  # seconds from which a run is announced
FEWEST = 3  # regions below which no order can be compared


@dataclasses.dataclass(frozen=True)
class Subject:
    """An image to be explained: what it is called, (1, C, H, W), its file, what to know of it, and its code (1, D)."""

    name: str
    image: Tensor
    path: Path | None = None
    notes: tuple[str, ...] = ()
    code: Tensor | None = None


@dataclasses.dataclass(frozen=True)
class Job:
    """A subject, who explains it, and for which side (None: the verdict's)."""

    subject: Subject
    explainer: Explainer
    side: str | None = None


@dataclasses.dataclass(frozen=True)
class Made:
    """How the report calls the model, how it can be made again, and the directions that it shows, if any."""

    model: str
    command: str
    directions: Callable[[], Discovery] | None = None


@dataclasses.dataclass(frozen=True)
class Talk:
    """What is printed, and whether an older report gives way."""

    overwrite: bool
    quiet: bool
    as_json: bool


def finish(jobs: Sequence[Job], made: Made, out: Path, talk: Talk) -> None:
    """Explain, write the report and print the verdicts; after an interrupt with what is finished, and exit code 130."""
    from ganexplain.cli._console import emit
    from ganexplain.report.report import Report

    start = time.perf_counter()
    _announce(jobs, quiet=talk.quiet)
    found = explained(jobs, quiet=talk.quiet)
    interrupted = len(found) < len(jobs) or any(e.interrupted for e in found)
    directions = None
    try:
        if made.directions is not None and not interrupted:
            directions = made.directions()
    except KeyboardInterrupt:
        interrupted = True
    report = Report(
        found, model=made.model, directions=directions, command=made.command, planned=len(jobs) if interrupted else None
    )
    facts = {
        "seconds": round(time.perf_counter() - start, 2),
        "images": [str(job.subject.path) for job in jobs if job.subject.path],
        "folder": str(out),
    }
    page = report.save(out, overwrite=talk.overwrite, run=facts)
    if talk.as_json:
        emit(report.document)
    elif not talk.quiet:
        _print(report, page)
    if interrupted:
        raise typer.Exit(130)


def explained(jobs: Sequence[Job], *, quiet: bool) -> list[Explanation]:
    """The explanations; after an interrupt those that are finished, the last one perhaps in part.

    Raises:
        KeyboardInterrupt: before anything was finished.
    """
    from ganexplain.cli._console import progress

    found: list[Explanation] = []
    with progress("explaining", quiet=quiet) as advance:
        for i, job in enumerate(jobs):
            subject = job.subject

            def tell(what: str, done: float, i: int = i, name: str = subject.name) -> None:
                advance(f"{name}: {what.replace('_', ' ')}", (i + done) / len(jobs))

            try:
                known = {} if subject.code is None else {"code": subject.code}
                one = job.explainer.explain(subject.image, side=job.side, name=subject.name, progress=tell, **known)
            except KeyboardInterrupt:
                if not found:
                    raise
                return found
            found.append(dataclasses.replace(one, notes=(*subject.notes, *one.notes)))
            if one.interrupted:
                return found
    return found


def check(jobs: Sequence[Job]) -> None:
    """Judge every image and count its regions, so that what cannot be explained is refused before anything is computed.

    Raises:
        ValueError: the judge cannot read an image, a baseline cannot be made, or there are too few regions.
    """
    import torch

    from ganexplain.attribution.baselines import origin_of
    from ganexplain.explanation.parts import labels_of

    for job in jobs:
        explainer, image, name = job.explainer, job.subject.image, job.subject.name
        try:
            explainer.critic.judge(image, batch_size=explainer.plan.batch_size)
        except RuntimeError as error:
            size = "x".join(str(n) for n in image.shape[1:])
            raise ValueError(f"the model cannot read {name} ({size}): {str(error).splitlines()[0]}") from error
        origin_of(explainer.critic, image, explainer.plan.baseline)
        form = explainer.critic.form
        labels = labels_of(form, image, explainer.plan)
        if (count := len(torch.unique(labels))) < FEWEST:
            raise ValueError(
                f"{name} has too few {form.parts} ({count}): at least {FEWEST} are needed to compare them; ask for more"
            )
        explainer.planned(image)  # makes the methods, which refuse settings that they cannot take


def _announce(jobs: Sequence[Job], *, quiet: bool) -> None:
    from ganexplain.cli._console import note

    seconds = [job.explainer.seconds(job.subject.image) for job in jobs[:1]]
    total = seconds[0] * len(jobs)
    if total > SLOW:
        evaluations = sum(job.explainer.planned(job.subject.image) for job in jobs)
        minutes = f"{total / 60:.0f} minutes" if total > 90 else f"{total:.0f} seconds"
        note(
            f"{evaluations:,} forward passes are planned, at most about {minutes}; Ctrl-C keeps what is finished",
            quiet=quiet,
        )


def _print(report: Report, page: Path) -> None:
    for entry in report.document["explanations"]:
        print(f"{entry['name']}: {entry['sentences']['verdict']} Explanation: {entry['word']}.")
    print(page)
