"""``ganexplain directions``: what the generator's latent space can change, and what the judge makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ganexplain.models.resolve import HELP

if TYPE_CHECKING:
    from torch import Tensor

    from ganexplain.latent.comparison import Comparison
    from ganexplain.latent.directions import Directions
    from ganexplain.latent.effects import Effects
    from ganexplain.latent.finders import Finder
    from ganexplain.models.critic import Critic
    from ganexplain.models.generator import Generator

ROWS = 4
DEFAULT = "sefa"
OWN = ("space", "n_directions", "attribute")  # arguments that have an option of their own
LOGIT = "logit"


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
    seed: int = typer.Option(0, help="Decides the codes and the random directions."),
    out: Path = typer.Option(Path("out/directions"), help="Folder for pictures, numbers and the page."),  # noqa: B008
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace older directions in --out."),
    quiet: bool = typer.Option(False, "--quiet", help="Print nothing but errors and JSON."),
    as_json: bool = typer.Option(False, "--json", help="Print the JSON."),
) -> None:
    """Find latent directions of a generator; write strips of edited images and how far each moves the judge's logit."""
    from ganexplain import checks, folders
    from ganexplain.cli import _directions as made
    from ganexplain.cli._console import emit, note, progress

    checks.positive(amount, "--amount")
    checks.positive(n, "--n")
    folder = folders.check(out, made.kind(), overwrite=overwrite)
    given = [*settings, *([f"normalize={normalize}"] if normalize else [])]
    names = _names(method, compare)
    generator, judge, who = _subject(model, critic)
    wanted = Wanted(space, n, tuple(given), tuple(attribute), judge)
    finders = {name: wanted.finder(name, names) for name in names}
    codes = _codes(generator, space, ROWS + n_codes, seed)
    with progress("directions", quiet=quiet) as advance:
        sets = {}
        for i, (name, finder) in enumerate(finders.items()):
            advance(name, 0.5 * i / len(finders))
            found = finder.fit(generator, seed=seed).directions_
            sets[name] = found.selective(generator) if selective else found
        directions = sets[names[0]]
        advance("effect on the logit", 0.5)
        measured = _measured(directions, generator, judge, codes[ROWS:], seed)
        beside = _compared(sets, generator, codes, judge, seed) if compare else None
        document = made.document(directions, measured, beside, who)
        document |= {"model": _about(generator, model), "critic": who, "seed": seed, "n_rows": ROWS}
        document |= {"amounts": made.amounts(amount), "notes": made.notes(directions, codes[:ROWS], amount)}
        advance("strips", 0.8)
        pictures = made.pictures(directions, generator, judge, codes[:ROWS], document)
        if beside is not None:
            pictures |= made.comparison_picture(beside, document)
        folders.write(folder, made.files(sets, document, pictures), made.kind(), overwrite=overwrite)
    if as_json:
        emit(document)
    elif not quiet:
        made.table(document)
    note(f"written to {folder / 'directions.html'}", quiet=quiet)


@dataclass(frozen=True)
class Wanted:
    """What the command line asks of the finders."""

    space: str
    n: int
    given: tuple[str, ...]
    attributes: tuple[str, ...]
    judge: Critic | None

    def finder(self, name: str, names: list[str]) -> Finder:
        """The finder called ``name`` with its settings; those without a finder's name are for the first of ``names``.

        Raises:
            ValueError: settings or attributes that it does not have.
        """
        from ganexplain.cli._settings import arguments, settings
        from ganexplain.latent.finders import FINDERS

        part = FINDERS.get(name)
        values = settings(part, [text for who, text in self._addressed(names) if who == name], taken=OWN)
        own = arguments(part)
        if self.attributes and "attribute" not in own and name == names[0]:
            takers = [other for other in FINDERS.names() if "attribute" in arguments(FINDERS.get(other))]
            raise ValueError(f"the finder {name!r} looks for no --attribute; use --method {' or '.join(takers)}")
        if self.attributes and "attribute" in own:
            values["attribute"] = self._sources(list(self.attributes))
        if values.get("conditions"):
            said = values["conditions"]
            values["conditions"] = self._sources([said] if isinstance(said, str) else said)
        return part(space=self.space, n_directions=self.n, **values)

    def _addressed(self, names: list[str]) -> list[tuple[str, str]]:
        """Whose each setting is, and its text."""
        from ganexplain import checks
        from ganexplain.latent.finders import FINDERS

        rows = []
        for text in self.given:
            who, dot, rest = text.partition("=")[0].partition(".")
            if dot and rest:
                FINDERS.get(who)
                checks.one_of("finder of this run", who, names)
                rows.append((who, text.partition(".")[2]))
            else:
                rows.append((names[0], text))
        return rows

    def _sources(self, names: list[str]) -> dict[str, Any]:
        """Name to source: the logit is the critic itself.

        Raises:
            ValueError: the logit is asked for, and there is no critic.
        """
        sources: dict[str, Any] = dict(zip(names, names, strict=True))
        if LOGIT in sources:
            if self.judge is None:
                raise ValueError("the attribute 'logit' is a critic's; name one with --critic")
            sources[LOGIT] = self.judge
        return sources


def _names(method: str, compare: str) -> list[str]:
    """The finders to run; the first is the one whose directions are shown one by one."""
    from ganexplain.latent.finders import FINDERS

    named = [method] if method else []
    named += [part for part in compare.split(",") if part.strip()] if compare else []
    stems = [name.strip().lower().replace("-", "_") for name in named or [DEFAULT]]
    for name in stems:
        FINDERS.get(name)
    return list(dict.fromkeys(stems))


def _subject(model: str, critic: str) -> tuple[Generator, Critic | None, str]:
    """The generator, who judges it, and that critic's name."""
    from ganexplain.models.gan import GAN
    from ganexplain.models.resolve import critic_of, generator_of, resolve

    found = resolve(model)
    generator = generator_of(found)
    if isinstance(found, GAN) and critic in ("", *found.critics):
        name = critic or found.critics[0]
        return generator, found.critic(name), name
    if not critic:
        return generator, None, ""
    return generator, critic_of(critic), Path(critic).name


def _codes(generator: Generator, space: str, n: int, seed: int) -> Tensor:
    if n - ROWS < 2:
        raise ValueError(f"--codes must be at least 2, got {n - ROWS}")
    return generator.encode(generator.sample(n, seed=seed), space)


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


def _about(generator: Generator, model: str) -> dict[str, Any]:
    size = f"{generator.channels} x {generator.resolution} x {generator.resolution}"
    prior = "normal" if generator.prior == "normal" else "uniform in [-1, 1]"
    # the name only: a folder of one machine has no place in a file that is the same everywhere
    return {"name": Path(model).name, "summary": f"Images of {size}, codes of {generator.z_dim} numbers, {prior}."}
