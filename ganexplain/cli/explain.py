"""``ganexplain explain``: why images were judged fake or real, as one page."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ganexplain.cli._asking import Asked, about_coordinates
from ganexplain.cli._opening import Said, about_weights
from ganexplain.models.resolve import HELP

if TYPE_CHECKING:
    from torch import Tensor

    from ganexplain.cli._explaining import Subject
    from ganexplain.explanation import Explainer, Plan
    from ganexplain.models.critic import Critic
    from ganexplain.models.resolve import Model

OWN = ("critic", "domain", "baseline", "batch_size", "max_evaluations")  # arguments that have options of their own
USUAL = {"--critic": "judge"}  # options whose default is a word
SAMPLES = 16  # fresh fakes whose maps are compared
REALS = 1000  # that the judge knows at most
OTHERS = 6  # images of one run that are enough to be one another's comparison


@about_weights
@about_coordinates
def run(
    model: str = typer.Argument(help=HELP),
    images: list[Path] = typer.Argument(help="Image files or folders of them; or rows.csv, or signal.npy."),  # noqa: B008
    out: Path = typer.Option(Path("out/report"), help="Folder for the page, the JSON and the arrays."),  # noqa: B008
    method: list[str] = typer.Option([], help="Attribution method, repeatable; the first one is quoted."),  # noqa: B008
    settings: list[str] = typer.Option([], "--set", help="A method's setting, such as grad_cam.layer=main.5."),  # noqa: B008
    baseline: str = typer.Option("", help="What the image is compared with, such as blur."),
    segments: Path = typer.Option(None, help="Picture of your own regions, one colour a region."),  # noqa: B008
    n_segments: int = typer.Option(0, help="About how many regions are cut; 0 decides by the size."),
    side: str = typer.Option("", help="Explain what speaks for fake or for real; default: the verdict."),
    reals: Path = typer.Option(None, help="Real images, rows or signals that the judge is to know."),  # noqa: B008
    critic: str = typer.Option("judge", help="Which critic of a GAN: judge or discriminator."),
    asked: Asked = Asked(),  # noqa: B008
    said: Said = Said(),  # noqa: B008
    seed: int = typer.Option(0, help="Of everything that is drawn."),
    max_evaluations: int = typer.Option(0, help="Per sampled method and image; 0 takes each method's default."),
    batch_size: int = typer.Option(64, help="The largest batch that the model sees."),
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace an older report."),
    quiet: bool = typer.Option(False, "--quiet", help="Print nothing but errors and JSON."),
    as_json: bool = typer.Option(False, "--json", help="Print report.json instead of the verdicts."),
) -> None:
    """Explain why images were judged fake or real: verdict, regions, maps, and whether all that can be trusted."""
    from ganexplain import folders
    from ganexplain.cli._explaining import Job, Made, Talk, check, finish
    from ganexplain.report import files

    plan = _set(settings, asked.plan(_plan(method, baseline, n_segments, seed, max_evaluations, batch_size)))
    folders.check(out, files.REPORT, overwrite=overwrite)
    _check_side(side)
    judge, others, found = _judge(model, said, asked, critic, reals, seed)
    plan = asked.completed(plan if method else _suited(plan, judge), judge)
    subjects = asked.coded(read(judge, images))
    explainers = _explainers(judge, plan, others, subjects, segments)
    jobs = [Job(s, explainers[tuple(s.image.shape[1:])], side or None) for s in subjects]
    check(jobs)
    told = {"--reals": reals, "--segments": segments, "--side": side, "--baseline": baseline, "--seed": seed}
    told |= {"--n-segments": n_segments, "--critic": critic, "--max-evaluations": max_evaluations}
    many = {"--method": method, "--set": settings} | asked.many
    made = Made(_name(model, found), _command(model, images, many, said.words | asked.words | told))
    finish(jobs, made, out, Talk(overwrite, quiet, as_json))


def read(critic: Critic, paths: Sequence[Path]) -> list[Subject]:
    """The images in the size at which they are judged, see `ganexplain.explanation.inputs.read`; rows or signals.

    Raises:
        FileNotFoundError: a path does not exist.
        ValueError: an image cannot be read, or the judge cannot read it.
    """
    from ganexplain.cli import _inputs
    from ganexplain.cli._explaining import Subject
    from ganexplain.data.images import expand
    from ganexplain.explanation import inputs

    if critic.form.name != "images":
        return _inputs.subjects(critic.form, paths)
    files = expand(paths)
    found = []
    for path in files:
        given = inputs.read(critic, path)
        name = given.name if sum(other.name == path.name for other in files) == 1 else inputs.readable(str(path))
        found.append(Subject(name, given.image, path, given.notes))
    return found


def _plan(
    methods: Sequence[str], baseline: str, n_segments: int, seed: int, max_evaluations: int, batch_size: int
) -> Plan:
    from ganexplain import checks
    from ganexplain.attribution import BASELINES
    from ganexplain.explanation import Plan

    for value, option, least in (
        (n_segments, "--n-segments", 0),
        (max_evaluations, "--max-evaluations", 0),
        (batch_size, "--batch-size", 1),
    ):
        if value < least:
            raise ValueError(f"{option} must be at least {least}, got {value}")
    names = tuple(dict.fromkeys(m.strip().lower().replace("-", "_") for m in methods))
    base = baseline.strip().lower().replace("-", "_")
    if base:
        checks.one_of("baseline", base, BASELINES.names())
    return Plan(
        methods=names or Plan().methods,
        baseline=base or None,
        n_segments=n_segments or None,
        seed=seed,
        max_evaluations=max_evaluations or None,
        batch_size=batch_size,
    )


def _suited(plan: Plan, critic: Critic) -> Plan:
    """The plan with the methods that the critic allows."""
    from ganexplain.explanation import suited

    return dataclasses.replace(plan, methods=suited(critic))


def _set(given: Sequence[str], plan: Plan) -> Plan:
    """The plan with settings of its methods."""
    return dataclasses.replace(plan, settings=_settings(plan.methods, given))


def _settings(methods: Sequence[str], given: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By method, its settings among ``method.name=value`` and, for the first one, ``name=value``."""
    from ganexplain import checks
    from ganexplain.attribution import METHODS
    from ganexplain.cli._settings import settings

    texts: dict[str, list[str]] = {}
    for text in given:
        name, dot, _ = text.partition("=")[0].partition(".")
        method = checks.one_of("method in --set", name.strip().replace("-", "_"), methods) if dot else methods[0]
        texts.setdefault(method, []).append(text[text.index(".") + 1 :] if dot else text)
    return {method: settings(METHODS.get(method), own, taken=OWN) for method, own in texts.items()}


def _check_side(side: str) -> None:
    from ganexplain import checks

    if side:
        checks.side(side)


def _judge(
    model: str, said: Said, asked: Asked, which: str, reals: Path | None, seed: int
) -> tuple[Critic, Tensor | None, Model]:
    """The critic, images to compare maps with, and the model itself."""
    import torch

    from ganexplain.cli import _inputs
    from ganexplain.data.images import read_folder
    from ganexplain.models.gan import GAN
    from ganexplain.models.resolve import critic_of, resolve

    found = resolve(model, said.spec, "discriminator")
    critic = asked.critic(critic_of(found, which))
    if reals is not None and critic.form.name != "images":
        critic = critic.with_reference(_inputs.batch(critic.form, reals, REALS))
    elif reals is not None:
        critic = critic.with_reference(
            read_folder(reals, channels=critic.preprocess.channels, size=critic.preprocess.shape, limit=REALS)
        )
    if not isinstance(found, GAN):
        return critic, None, found
    fresh = found.samples(SAMPLES, seed=seed + 1)
    known = fresh[:0] if critic.reference is None else critic.reference.images[:SAMPLES].to(fresh)
    return critic, torch.cat([known, fresh]), found


def _explainers(
    critic: Critic, plan: Plan, others: Tensor | None, subjects: Sequence[Subject], mask: Path | None
) -> dict[tuple[int, ...], Explainer]:
    """One explainer a size, which shares the maps of other images."""
    import torch

    from ganexplain.data.images import read_mask
    from ganexplain.explanation import Explainer

    if mask is not None and critic.form.name != "images":
        raise ValueError(f"--segments is a picture of regions, and this judge reads {critic.form.many}; leave it out")
    found: dict[tuple[int, ...], Explainer] = {}
    for shape in dict.fromkeys(tuple(s.image.shape[1:]) for s in subjects):
        own = plan if mask is None else dataclasses.replace(plan, mask=read_mask(mask, (shape[1], shape[2])))
        alike = [s.image for s in subjects if tuple(s.image.shape[1:]) == shape]
        compared = others
        if others is None and critic.reference is None and len(alike) >= OTHERS:
            compared = torch.cat(alike)
        found[shape] = Explainer(critic, own, others=compared)
    return found


def _name(model: str, found: Model) -> str:
    """The model without its folder, which says nothing to a reader."""
    return model if model.startswith("bundled:") else Path(model).name


def _command(model: str, images: Sequence[Path], many: dict[str, list[str]], told: dict[str, Any]) -> str:
    """The command that makes the same report again; where it is written to does not belong to it."""
    from ganexplain.explanation.inputs import readable

    words = ["ganexplain", "explain", model, *map(str, images)]
    words += [w for option, values in many.items() for value in values for w in (option, value)]
    said = {option: str(value) for option, value in told.items() if value}
    words += [w for option, value in said.items() if value != USUAL.get(option) for w in (option, value)]
    return readable(shlex.join(words))
