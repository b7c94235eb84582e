"""``ganexplain directions``: what the generator's latent space can change, and what the judge makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ganexplain.cli._opening import Said, about_weights
from ganexplain.models.resolve import HELP

if TYPE_CHECKING:
    from torch import Tensor

    from ganexplain.cli._console import Advance
    from ganexplain.latent.comparison import Comparison
    from ganexplain.latent.directions import Directions
    from ganexplain.latent.effects import Effects
    from ganexplain.latent.finders import Finder
    from ganexplain.models.critic import Critic
    from ganexplain.models.generator import Generator
    from ganexplain.models.spec import Spec

ROWS = 4
DEFAULT = "sefa"
OWN = ("space", "n_directions", "attribute")  # arguments that have an option of their own
LOGIT = "logit"


@about_weights
def run(
    model: str = typer.Argument(help=HELP),
    method: str = typer.Option("", help=f"Direction finder, {DEFAULT} by default; `ganexplain methods` lists them."),
    settings: list[str] = typer.Option(  # noqa: B008
        [], "--set", help="A setting of the finder, name=value, or finder.name=value with --compare; repeatable."
    ),
    attribute: list[str] = typer.Option(  # noqa: B008
        [], help="What `boundary` looks for: logit (of the critic), a built-in attribute, or a CSV; repeatable."
    ),
    compare: str = typer.Option("", help="Finders to put side by side, with commas: sefa,ganspace,random."),
    selective: bool = typer.Option(False, "--selective", help="Project: each direction leaves the others' alone."),
    normalize: str = typer.Option("", help="Short for --set normalize=..."),
    space: str = typer.Option("z", help="Latent space of the generator."),
    n: int = typer.Option(5, "--n", help="How many directions."),
    amount: float = typer.Option(3.0, help="Largest edit, in standard deviations of the codes."),
    critic: str = typer.Option("", help="Whose logit is measured: judge or discriminator of a GAN, or another model."),
    n_codes: int = typer.Option(128, "--codes", help="Codes that the effect on the logit is averaged over."),
    said: Said = Said(),  # noqa: B008
    seed: int = typer.Option(0, help="Decides the codes and the random directions."),
    out: Path = typer.Option(Path("out/directions"), help="Folder for pictures, numbers and the page."),  # noqa: B008
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace older directions in --out."),
    quiet: bool = typer.Option(False, "--quiet", help="Print nothing but errors and JSON."),
    as_json: bool = typer.Option(False, "--json", help="Print the JSON."),
) -> None:
    """Find latent directions of a generator; write strips of edited images and how far each moves the judge's logit."""
    from ganexplain import folders
    from ganexplain.cli import _directions as made
    from ganexplain.cli._console import emit, note, progress

    given = (*settings, *([f"normalize={normalize}"] if normalize else []))
    wanted = Wanted(_names(method, compare), space, n, given, tuple(attribute), selective)
    shown = Shown(model, said.spec, critic, amount, n_codes, seed, bool(compare))
    folder = folders.check(out, made.kind(), overwrite=overwrite)
    with progress("directions", quiet=quiet) as advance:
        document, files = _made(wanted, shown, advance)
        folders.write(folder, files, made.kind(), overwrite=overwrite)
    if as_json:
        emit(document)
    elif not quiet:
        made.table(document)
    note(f"written to {folder / 'directions.html'}", quiet=quiet)


@dataclass(frozen=True)
class Shown:
    """Of what model, read how, who judges it, and how the directions are shown."""

    model: str
    said: Spec | None
    critic: str
    amount: float
    n_codes: int
    seed: int
    compare: bool

    def __post_init__(self) -> None:
        from ganexplain import checks

        checks.positive(self.amount, "--amount")
        if self.n_codes < 2:
            raise ValueError(f"--codes must be at least 2, got {self.n_codes}")


def _made(wanted: Wanted, shown: Shown, advance: Advance) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The document and all files by name."""
    from ganexplain.cli import _directions as made

    generator, judge, who = _subject(shown.model, shown.said, shown.critic)
    finders = {name: wanted.finder(name, judge) for name in wanted.names}
    codes = generator.encode(generator.sample(ROWS + shown.n_codes, seed=shown.seed), wanted.space)
    sets = {}
    for i, (name, finder) in enumerate(finders.items()):
        advance(name, 0.5 * i / len(finders))
        found = finder.fit(generator, seed=shown.seed).directions_
        sets[name] = found.selective(generator) if wanted.selective else found
    first = wanted.names[0]
    directions = sets[first]
    advance("effect on the logit", 0.5)
    if shown.compare:
        beside = _compared(sets, generator, codes, judge, shown.seed)
        measured = beside.effects_of(first)
    else:
        beside, measured = None, _measured(directions, generator, judge, codes[ROWS:], shown.seed)
    document = made.document(directions, measured, beside, who)
    document |= {
        "model": _about(generator, judge, shown.model),
        "form": generator.form.name,
        "critic": who,
        "seed": shown.seed,
        "n_rows": ROWS,
    }
    notes = [*made.notes(directions, codes[:ROWS], shown.amount), *_ended(generator, judge)]
    document |= {"amounts": made.amounts(shown.amount), "notes": notes}
    advance("strips", 0.8)
    pictures = made.pictures(directions, generator, judge, codes[:ROWS], document)
    if beside is not None:
        pictures |= made.comparison_picture(beside, document, generator, codes[:ROWS])
    return document, made.files(sets, document, pictures)


@dataclass(frozen=True)
class Wanted:
    """What the command line asks of the finders; the first is the one whose directions are shown one by one."""

    names: list[str]
    space: str
    n: int
    given: tuple[str, ...]
    attributes: tuple[str, ...]
    selective: bool

    def finder(self, name: str, judge: Critic | None) -> Finder:
        """The finder called ``name`` with its settings; those without a finder's name are for the first.

        Raises:
            ValueError: settings or attributes that it does not have.
        """
        from ganexplain.cli._settings import arguments, settings
        from ganexplain.latent.finders import FINDERS

        part = FINDERS.get(name)
        values = settings(part, [text for who, text in self._addressed() if who == name], taken=OWN)
        own = arguments(part)
        if self.attributes and "attribute" not in own and name == self.names[0]:
            takers = [other for other in FINDERS.names() if "attribute" in arguments(FINDERS.get(other))]
            raise ValueError(f"the finder {name!r} looks for no --attribute; use --method {' or '.join(takers)}")
        if self.attributes and "attribute" in own:
            values["attribute"] = _sources(list(self.attributes), judge)
        if values.get("conditions"):
            said = values["conditions"]
            values["conditions"] = _sources([said] if isinstance(said, str) else said, judge)
        return part(space=self.space, n_directions=self.n, **values)

    def _addressed(self) -> list[tuple[str, str]]:
        """Whose each setting is, and its text."""
        from ganexplain import checks
        from ganexplain.latent.finders import FINDERS

        rows = []
        for text in self.given:
            who, dot, rest = text.partition("=")[0].partition(".")
            if dot and rest:
                FINDERS.get(who)
                checks.one_of("finder of this run", who, self.names)
                rows.append((who, text.partition(".")[2]))
            else:
                rows.append((self.names[0], text))
        return rows


def _sources(names: list[str], judge: Critic | None) -> dict[str, Any]:
    """Name to source: the logit is the critic itself.

    Raises:
        ValueError: the logit is asked for, and there is no critic.
    """
    sources: dict[str, Any] = dict(zip(names, names, strict=True))
    if LOGIT in sources:
        if judge is None:
            raise ValueError("the attribute 'logit' is a critic's; name one with --critic")
        sources[LOGIT] = judge
    return sources


def _names(method: str, compare: str) -> list[str]:
    """The finders to run, each once."""
    from ganexplain.latent.finders import FINDERS

    named = [method] if method else []
    named += [part for part in compare.split(",") if part.strip()] if compare else []
    stems = [name.strip().lower().replace("-", "_") for name in named or [DEFAULT]]
    for name in stems:
        FINDERS.get(name)
    return list(dict.fromkeys(stems))


def _subject(model: str, said: Spec | None, critic: str) -> tuple[Generator, Critic | None, str]:
    """The generator, who judges it, and that critic's name."""
    from ganexplain.models.gan import GAN
    from ganexplain.models.resolve import critic_of, generator_of, resolve
    from ganexplain.models.spec import Spec

    found = resolve(model, said, "generator")
    generator = generator_of(found)
    if isinstance(found, GAN) and critic in ("", *found.critics):
        name = critic or found.critics[0]
        return generator, found.critic(name), name
    if not critic:
        return generator, None, ""
    label = Spec(label=said.label) if said is not None and said.label is not None and Path(critic).is_file() else None
    return generator, critic_of(critic, spec=label), Path(critic).name


def _measured(
    directions: Directions, generator: Generator, judge: Critic | None, codes: Tensor, seed: int
) -> Effects | None:
    from ganexplain.latent.effects import effects, random_directions

    if judge is None:
        return None
    return effects(directions, generator, judge, codes, control=random_directions(directions, seed=seed))


def _compared(
    sets: dict[str, Directions], generator: Generator, codes: Tensor, judge: Critic | None, seed: int
) -> Comparison:
    """The first code is shown, as in the other pictures; those that are shown there are measured nowhere."""
    import torch

    from ganexplain.latent.comparison import compare

    return compare(sets, generator, torch.cat([codes[:1], codes[ROWS:]]), critic=judge, seed=seed)


def _ended(generator: Generator, judge: Critic | None) -> list[str]:
    """How the training of the generator ended, where its GAN says so."""
    from ganexplain.models import health

    known = None if judge is None or judge.generator is not generator else judge.health
    return [] if known is None else [health.told(known)]


def _about(generator: Generator, judge: Critic | None, model: str) -> dict[str, Any]:
    from ganexplain.models import priors
    from ganexplain.models.class_names import called

    form = generator.form
    size = f"Images of {generator.channels} x {generator.resolution} x {generator.resolution}"
    if form.name != "images":
        size = f"{form.many.capitalize()} of {' x '.join(map(str, generator.render(generator.sample(1)).shape[1:]))}"
    if generator.label is not None:
        names = () if judge is None or judge.label != generator.label else judge.class_names
        size += f" of {called(generator.label, names[generator.label] if names else None)}"
    prior = priors.WORDS[generator.prior]
    # the name only: a folder of one machine has no place in a file that is the same everywhere
    return {"name": Path(model).name, "summary": f"{size}, codes of {generator.z_dim} numbers, {prior}."}
