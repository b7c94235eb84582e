"""``ganexplain demo``: what the toolkit does, on the GAN that comes with it, without a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ganexplain.models.critic import Critic
    from ganexplain.models.gan import GAN
    from ganexplain.report.directions import Discovery

MODEL = "fashion"
FAKES, DIRECTIONS, CODES = 3, 5, 65
SAMPLES = 16  # fresh fakes, and as many reals, whose maps are compared


def run(
    out: Path = typer.Option(Path("out/demo"), help="Folder for the page, the JSON and the arrays."),  # noqa: B008
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace a report that is no earlier demo."),
    quiet: bool = typer.Option(False, "--quiet", help="Print nothing but errors and JSON."),
    as_json: bool = typer.Option(False, "--json", help="Print report.json instead of the verdicts."),
) -> None:
    """Explain three caught fakes and a real image of the bundled GAN, one of them also in frequencies and changed."""
    import torch

    from ganexplain import folders
    from ganexplain.cli._explaining import Job, Made, Subject, Talk, finish
    from ganexplain.explanation import Explainer, Plan
    from ganexplain.models.gan import bundled
    from ganexplain.report import files

    replace = overwrite or is_demo(out)
    folders.check(out, files.REPORT, overwrite=replace)
    gan = bundled(MODEL)
    critic = gan.critic(gan.critics[0])
    if critic.reference is None:
        raise ValueError(f"the bundled GAN {MODEL!r} has no real images; build it again with benchmarks/bundled.py")
    fakes, reals = gan.samples(FAKES + SAMPLES, seed=0), critic.reference.images
    verdict = critic.judge(fakes)
    missed = ~verdict.is_fake | verdict.unsure
    caught_first = missed.int().argsort(stable=True)[:FAKES].tolist()
    subjects = [Subject(f"fake {i + 1}", fakes[k : k + 1]) for i, k in enumerate(caught_first)]
    subjects.append(Subject("real 1 (held out)", reals[:1]))
    others = torch.cat([reals[1 : SAMPLES + 1], fakes])
    more = Plan(budget="quick", domains=("frequency",), counterfactuals=("regions",))
    first, rest = (Explainer(critic, plan, others=others) for plan in (more, Plan(budget="quick")))
    jobs = [Job(subject, first if i == 0 else rest) for i, subject in enumerate(subjects)]
    made = Made(f"bundled:{MODEL}", "ganexplain demo", lambda: _discovery(gan, critic))
    finish(jobs, made, out, Talk(replace, quiet, as_json))


def is_demo(folder: Path) -> bool:
    """Whether the folder holds an earlier demo, which may be replaced."""
    import json

    from ganexplain.report.files import DATA

    path = folder / DATA
    if not path.is_file():
        return False
    try:
        found = json.loads(path.read_bytes())
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("command") == "ganexplain demo"


def _discovery(gan: GAN, critic: Critic) -> Discovery:
    from ganexplain.latent.finders.sefa import SeFa
    from ganexplain.report.directions import discover

    directions = SeFa(n_directions=DIRECTIONS).fit(gan.generator, seed=0).directions_
    return discover(directions, gan.generator, critic, gan.generator.sample(CODES, seed=2))
