"""The options that say in which coordinates `explain` looks, what else it computes, and by which codes."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganexplain.cli._opening import filled

if TYPE_CHECKING:
    from torch import Tensor

    from ganexplain.cli._explaining import Subject
    from ganexplain.explanation import Plan
    from ganexplain.models.critic import Critic

PANEL = "In what way, and how much"
DOMAINS = ("places", "frequency", "latent")
EVERY = "all"  # kinds of change that the judge allows

DomainOption = Annotated[
    list[str],
    typer.Option("--domain", help="places, frequency or latent, repeatable; else by budget.", rich_help_panel=PANEL),
]
BudgetOption = Annotated[
    str, typer.Option("--budget", help="quick, standard or thorough: how much is computed.", rich_help_panel=PANEL)
]
ChangeOption = Annotated[
    list[str],
    typer.Option(
        "--counterfactual", help="Smallest change that turns the verdict; repeatable, or all.", rich_help_panel=PANEL
    ),
]
TolOption = Annotated[
    float, typer.Option("--tol", help="Tolerance of integrated gradients; 0 takes .05.", rich_help_panel=PANEL)
]
BandsOption = Annotated[int, typer.Option("--bands", help="Bands of frequencies; 0 takes 8.", rich_help_panel=PANEL)]
TransformOption = Annotated[
    str, typer.Option("--transform", help="Of frequencies: dct, block_dct or fft.", rich_help_panel=PANEL)
]
CellOption = Annotated[
    str, typer.Option("--cell", help="Row,column of a patch map's cell that is to be explained.", rich_help_panel=PANEL)
]
GeneratorOption = Annotated[
    str, typer.Option("--generator", help="Model that made the images, if MODEL has none.", rich_help_panel=PANEL)
]
CodeOption = Annotated[
    Path | None,
    typer.Option(
        "--code",
        help="Latent codes: a .npy or .npz with a row an image, or the folder of `sample`.",
        rich_help_panel=PANEL,
    ),
]
DirectionsOption = Annotated[
    Path | None,
    typer.Option("--directions", help="Latent directions, a file of Directions.save.", rich_help_panel=PANEL),
]
OPTIONS: dict[str, tuple[Any, Any]] = {
    "domain": (DomainOption, []),
    "budget": (BudgetOption, "standard"),
    "counterfactual": (ChangeOption, []),
    "tol": (TolOption, 0.0),
    "bands": (BandsOption, 0),
    "transform": (TransformOption, ""),
    "cell": (CellOption, ""),
    "generator": (GeneratorOption, ""),
    "code": (CodeOption, None),
    "directions": (DirectionsOption, None),
}


@dataclass(frozen=True)
class Asked:
    """What was asked for beside places; empty where the budget decides."""

    domain: Sequence[str] = ()
    budget: str = "standard"
    counterfactual: Sequence[str] = ()
    tol: float = 0.0
    bands: int = 0
    transform: str = ""
    cell: str = ""
    generator: str = ""
    code: Path | None = None
    directions: Path | None = None

    def plan(self, plan: Plan) -> Plan:
        """``plan`` with all of it that needs no model.

        Raises:
            ValueError: an unknown name, a number out of range, or options that exclude one another.
        """
        from ganexplain import checks
        from ganexplain.attribution import COUNTERFACTUALS
        from ganexplain.attribution.domains.frequency import Frequency

        if self.bands < 0:
            raise ValueError(f"--bands must be at least 1, or 0 for the default, got {self.bands}")
        if not 0 <= self.tol < 1:
            raise ValueError(f"--tol must lie between 0 and 1, such as 0.05, got {self.tol}")
        self._cell()
        frequency = {k: v for k, v in (("bands", self.bands), ("transform", _plain(self.transform))) if v}
        Frequency(**frequency)  # type: ignore[arg-type]  # refuses what it cannot take
        kinds = [_plain(kind) for kind in self.counterfactual]
        for kind in kinds:
            checks.one_of("counterfactual", kind, (*COUNTERFACTUALS.names(), EVERY))
        return dataclasses.replace(
            plan,
            budget=_plain(self.budget),
            domains=self._domains(bool(frequency)),
            counterfactuals=tuple(dict.fromkeys(k for k in kinds if k != EVERY)) if kinds else None,
            tol=self.tol or None,
            frequency=frequency,
        )

    def _domains(self, frequency: bool) -> tuple[str, ...] | None:
        """The domains beside places; None leaves them to the budget."""
        from ganexplain import checks

        named = list(dict.fromkeys(_plain(name) for name in self.domain))
        for name in named:
            checks.one_of("domain", name, DOMAINS)
        wanted = {"frequency": frequency, "latent": self.code is not None or self.directions is not None}
        options = {"frequency": "--bands and --transform", "latent": "--code and --directions"}
        for domain, asked in wanted.items():
            if named and asked and domain not in named:
                raise ValueError(
                    f"{options[domain]} are of the domain {domain}, and only {', '.join(named)} was asked for; add "
                    f"--domain {domain}"
                )
        if named:
            return tuple(name for name in named if name != "places")
        if not any(wanted.values()):
            return None
        usual = self.budget != "quick"  # frequencies are part of every larger budget
        return tuple(d for d, asked in wanted.items() if asked or (usual and d == "frequency"))

    def _cell(self) -> tuple[int, int] | None:
        if not self.cell:
            return None
        row, comma, column = (part.strip() for part in self.cell.partition(","))
        if not comma or not row.isdecimal() or not column.isdecimal():
            raise ValueError(f"--cell must be a row and a column from 0, such as 3,4, got {self.cell!r}")
        return int(row), int(column)

    def critic(self, critic: Critic) -> Critic:
        """The critic of one cell, which knows the generator that was named.

        Raises:
            ValueError: the generator makes something else than the critic reads, or there is no such cell.
        """
        if self.generator:
            from ganexplain.models.gan import GAN
            from ganexplain.models.resolve import generator_of, resolve

            made = resolve(self.generator, None, "generator")
            generator = made.generator if isinstance(made, GAN) else generator_of(made)
            if critic.label is not None and critic.label < generator.num_classes:
                generator = generator.given(critic.label)
            critic = critic.with_generator(generator)
        cell = self._cell()
        return critic if cell is None else critic.cell(*cell)

    def completed(self, plan: Plan, critic: Critic) -> Plan:
        """``plan`` with what needs the critic: directions of its generator, and every kind of change that it allows.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: no generator is known, or the directions are not for it.
        """
        generator = critic.generator
        latent = "latent" in (plan.domains or ()) or "latent_change" in (plan.counterfactuals or ())
        if generator is None and (latent or self.code is not None or self.directions is not None):
            raise ValueError(
                "latent codes are explained through the generator that made the images, and this model has none; name "
                "it with --generator MODEL"
            )
        changes: dict[str, Any] = {}
        if self.directions is not None and generator is not None:
            from ganexplain.latent.directions import Directions

            changes["directions"] = Directions.load(self.directions, generator)
        if EVERY in {_plain(kind) for kind in self.counterfactual}:
            changes["counterfactuals"] = _allowed(critic)
        return dataclasses.replace(plan, **changes)

    def coded(self, subjects: Sequence[Subject]) -> list[Subject]:
        """The subjects with their codes.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: not a code an image.
        """
        if self.code is None:
            return list(subjects)
        codes = _codes(self.code, subjects)
        return [dataclasses.replace(s, code=code) for s, code in zip(subjects, codes, strict=True)]

    @property
    def many(self) -> dict[str, list[str]]:
        """The repeatable options as they were given, for the command that a report quotes."""
        return {"--domain": list(self.domain), "--counterfactual": list(self.counterfactual)}

    @property
    def words(self) -> dict[str, object]:
        """The others."""
        found = {f"--{name}": getattr(self, name) for name in OPTIONS if f"--{name}" not in self.many}
        return found | {"--budget": "" if self.budget == Asked.budget else self.budget}


about_coordinates = filled("asked", Asked, OPTIONS)


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_")


def _allowed(critic: Critic) -> tuple[str, ...]:
    from ganexplain.attribution import COUNTERFACTUALS

    found = []
    for name in COUNTERFACTUALS.names():
        gradients = getattr(COUNTERFACTUALS.get(name), "needs", "calls") == "gradients"
        unmade = "code" in inspect.signature(COUNTERFACTUALS.get(name)).parameters and critic.generator is None
        waves = name == "bands" and critic.form.name != "images"
        if not unmade and not waves and (critic.differentiable or not gradients):
            found.append(name)
    return tuple(found)


def _codes(path: Path, subjects: Sequence[Subject]) -> list[Tensor]:
    """(1, D) codes, one a subject: of a file by its rows, of a folder by the names of the images."""
    from ganexplain.data.tables import read_array

    if path.is_dir():
        files = [path / f"{s.path.stem}.npy" if s.path else path / "code.npy" for s in subjects]
        return [read_array(file).reshape(1, -1) for file in files]
    codes = read_array(path)
    codes = codes[None] if codes.ndim == 1 else codes
    if codes.ndim != 2 or len(codes) != len(subjects):
        raise ValueError(
            f"{path} must hold one code an image, ({len(subjects)}, D), got {tuple(codes.shape)}; name a folder of "
            "NAME.npy beside NAME.png, as `ganexplain sample` writes them, to explain some of many"
        )
    return [codes[i : i + 1] for i in range(len(codes))]
