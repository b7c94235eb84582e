"""What a training run is made of: TOML to frozen dataclasses; an unknown key raises with the nearest one."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganexplain import checks
from ganexplain.training import losses, penalties

PRESETS = Path(__file__).parent / "presets"


@dataclass(frozen=True)
class LossConfig:
    """The game.

    Attributes:
        name: "relativistic", "bce" or "least_squares".
        gamma: weight of the gradient penalties, as gamma / 2 * squared norm; it grows with the area.
        penalties: which ones: "r1" (reals), "r2" (fakes).
    """

    name: str = "relativistic"
    gamma: float = 1.0
    penalties: tuple[str, ...] = ("r1", "r2")

    def __post_init__(self) -> None:
        losses.get(self.name)
        _at_least(self.gamma, 0, "loss.gamma")
        for name in self.penalties:
            checks.one_of("penalty", name, penalties.NAMES)


@dataclass(frozen=True)
class OptimConfig:
    """Adam.

    Attributes:
        lr: learning rate of both networks.
        betas: Adam's two decay rates.
        decay_from: share of the run after which the rate falls along a cosine; 1 keeps it constant.
        decay_to: the rate's last value as a share of ``lr``.
    """

    lr: float = 5e-4
    betas: tuple[float, float] = (0.0, 0.99)
    decay_from: float = 0.5
    decay_to: float = 0.05

    def __post_init__(self) -> None:
        checks.positive(self.lr, "optim.lr")
        if len(self.betas) != 2 or not all(0 <= b < 1 for b in self.betas):
            raise ValueError(f"optim.betas must be two numbers from 0 to below 1, got {list(self.betas)}")
        for name in ("decay_from", "decay_to"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"optim.{name} must lie in [0, 1], got {getattr(self, name)}")


@dataclass(frozen=True)
class RunConfig:
    """How long and on what.

    Attributes:
        steps: number of steps, each one update of either network.
        batch: images a step.
        seed: decides weights, noise and the order of images.
        ema: half-life of the moving average of weights, in images.
        flip: mirror half of the reals left to right; wrong for anything with a left and a right side.
    """

    steps: int = 10_000
    batch: int = 64
    seed: int = 0
    ema: float = 10_000.0
    flip: bool = False

    def __post_init__(self) -> None:
        _at_least(self.steps, 1, "run.steps")
        _at_least(self.batch, 2, "run.batch")
        _at_least(self.ema, 0, "run.ema")


@dataclass(frozen=True)
class JudgeConfig:
    """The judge: the discriminator trained on with cross-entropy against the frozen generator.

    Attributes:
        steps: number of steps; 0 makes no judge.
        batch: images a step.
        lr: learning rate of Adam, falling along a cosine to nothing.
        gamma: weight of R1 and R2, which keep the judge's slopes small and its attributions smooth.
    """

    steps: int = 2500
    batch: int = 64
    lr: float = 2e-3
    gamma: float = 0.003

    def __post_init__(self) -> None:
        _at_least(self.steps, 0, "judge.steps")
        _at_least(self.batch, 2, "judge.batch")
        checks.positive(self.lr, "judge.lr")
        _at_least(self.gamma, 0, "judge.gamma")


@dataclass(frozen=True)
class Config:
    """A whole run.

    Attributes:
        about: what the preset is for, in one line.
        model: ``family`` and the family's own options, such as width; resolution and channels come from the data.
        loss: the game.
        optim: the optimiser.
        run: length, batch and seed.
        judge: the judge's training.
    """

    about: str = ""
    model: Mapping[str, Any] = field(default_factory=lambda: {"family": "dcgan"})
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    run: RunConfig = field(default_factory=RunConfig)
    judge: JudgeConfig = field(default_factory=JudgeConfig)

    def __post_init__(self) -> None:
        if "family" not in self.model:
            raise ValueError(f'[model] must name its family, got only {sorted(self.model)}; add family = "dcgan"')

    @property
    def options(self) -> dict[str, Any]:
        """The family's own options."""
        return {k: v for k, v in self.model.items() if k != "family"}

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON, which `from_dict` reads back."""
        plain = dataclasses.asdict(self)
        for table in (plain["loss"], plain["optim"]):
            table.update({k: list(v) for k, v in table.items() if isinstance(v, tuple)})
        return plain


SECTIONS = {"loss": LossConfig, "optim": OptimConfig, "run": RunConfig, "judge": JudgeConfig}


def from_dict(tables: Mapping[str, Any]) -> Config:
    """A config from nested mappings such as TOML gives.

    Raises:
        ValueError: an unknown key, with the nearest one, or a value out of range.
        TypeError: a value of the wrong type.
    """
    known = [f.name for f in dataclasses.fields(Config)]
    parts: dict[str, Any] = {}
    for name, value in tables.items():
        checks.one_of("config section", name, known)
        parts[name] = _section(name, value) if name in SECTIONS else value
    if not isinstance(parts.get("model", {}), Mapping):
        raise TypeError(f"[model] must be a table of options, got {parts['model']!r}")
    return Config(**parts)


def _section(name: str, table: Any) -> Any:
    if not isinstance(table, Mapping):
        raise TypeError(f"[{name}] must be a table of options, got {table!r}")
    kind = SECTIONS[name]
    default = kind()
    values = {}
    for key, value in table.items():
        checks.one_of(f"key in [{name}]", key, [f.name for f in dataclasses.fields(kind)])
        values[key] = _typed(f"{name}.{key}", value, getattr(default, key))
    return kind(**values)


def _typed(name: str, value: Any, example: Any) -> Any:
    """``value`` as the type of ``example``; an int may stand for a float and a list for a tuple, nothing else."""
    if isinstance(example, bool) or isinstance(value, bool):
        fits = isinstance(value, bool) and isinstance(example, bool)
    elif isinstance(example, tuple):
        kinds = str if isinstance(example[0], str) else (int, float)
        fits = isinstance(value, (list, tuple)) and all(isinstance(v, kinds) for v in value)
        value = tuple(float(v) if isinstance(v, int) else v for v in value) if fits else value
    elif isinstance(example, float):
        fits = isinstance(value, (int, float))
        value = float(value) if fits else value
    else:
        fits = isinstance(value, type(example))
    if not fits:
        raise TypeError(f"{name} must be like {example!r} ({type(example).__name__}), got {value!r}")
    return value


def load(source: str | Path, overrides: Iterable[str] = ()) -> Config:
    """A preset by name, or a TOML file by path, with ``section.key=value`` overrides.

    Args:
        source: a preset such as "dcgan", or a path that ends in .toml.
        overrides: such as "loss.gamma=2" or "loss.name=bce"; the value is read as TOML, bare words are strings.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no such preset, bad TOML, unknown keys.
    """
    path = Path(source)
    if path.suffix == ".toml":
        if not path.is_file():
            raise FileNotFoundError(f"no config file {path}; presets are {', '.join(presets())}")
    else:
        path = PRESETS / f"{checks.one_of('preset', str(source), presets())}.toml"
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ValueError(f"{path} is not valid TOML: {problem}") from None
    return from_dict(_overridden(tables, overrides))


def override(config: Config, overrides: Iterable[str]) -> Config:
    """The config with ``section.key=value`` changes."""
    return from_dict(_overridden(config.as_dict(), overrides))


def presets() -> list[str]:
    """Names of the presets that come with the package."""
    return sorted(p.stem for p in PRESETS.glob("*.toml"))


def _overridden(tables: dict[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    for item in overrides:
        path, equals, text = item.partition("=")
        section, dot, key = path.strip().partition(".")
        if not (equals and dot and key):
            raise ValueError(f"an override must read section.key=value, such as loss.gamma=2, got {item!r}")
        checks.one_of("config section", section, [*SECTIONS, "model"])
        tables.setdefault(section, {})
        tables[section] = {**tables[section], key: _value(text)}
    return tables


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()  # a bare word is a string: loss.name=bce


def _at_least(value: float, least: float, name: str) -> None:
    if not value >= least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
