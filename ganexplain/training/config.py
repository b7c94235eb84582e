"""What a training run is made of: TOML to frozen dataclasses; an unknown key raises with the nearest one."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_type_hints

from ganexplain import checks
from ganexplain.training.sections import JudgeConfig, LossConfig, OptimConfig, RunConfig, WatchConfig

PRESETS = Path(__file__).parent / "presets"
WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "words in quotes"}


@dataclass(frozen=True)
class Config:
    """A whole run.

    Attributes:
        about: what the preset is for, in one line.
        model: ``family``, whether it is ``conditional``, and the family's own options, such as width; what the data
            say (resolution, channels, number of classes) comes from them.
        loss: the game.
        optim: the optimisers.
        run: length, batch and seed.
        judge: the judge's training.
        watch: what is written down meanwhile.
    """

    about: str = ""
    model: Mapping[str, Any] = field(default_factory=lambda: {"family": "dcgan"})
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    run: RunConfig = field(default_factory=RunConfig)
    judge: JudgeConfig = field(default_factory=JudgeConfig)
    watch: WatchConfig = field(default_factory=WatchConfig)

    def __post_init__(self) -> None:
        if "family" not in self.model:
            raise ValueError(f'[model] must name its family, got only {sorted(self.model)}; add family = "dcgan"')
        if not isinstance(self.conditional, bool):
            raise TypeError(f"model.conditional must be true or false, got {self.conditional!r}")

    @property
    def conditional(self) -> bool:
        """Whether both networks are told the class of an image."""
        told: bool = self.model.get("conditional", False)
        return told

    @property
    def options(self) -> dict[str, Any]:
        """The family's own options."""
        return {k: v for k, v in self.model.items() if k not in ("family", "conditional")}

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON, which `from_dict` reads back."""
        plain = dataclasses.asdict(self)
        for name in SECTIONS:
            plain[name].update({k: list(v) for k, v in plain[name].items() if isinstance(v, tuple)})
        return plain

    def changed(self, other: Config) -> dict[str, tuple[Any, Any]]:
        """Per dotted field whose value differs, such as "loss.gamma": own value and the other's; None is absent."""
        mine, theirs = _flat(self.as_dict()), _flat(other.as_dict())
        names = [*mine, *(name for name in theirs if name not in mine)]
        return {name: (mine.get(name), theirs.get(name)) for name in names if mine.get(name) != theirs.get(name)}


SECTIONS: dict[str, type[Any]] = {
    "loss": LossConfig,
    "optim": OptimConfig,
    "run": RunConfig,
    "judge": JudgeConfig,
    "watch": WatchConfig,
}


def _flat(tables: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tables.items():
        flat.update({f"{name}.{k}": v for k, v in value.items()} if isinstance(value, Mapping) else {name: value})
    return flat


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
    types = get_type_hints(kind)
    values = {}
    for key, value in table.items():
        checks.one_of(f"key in [{name}]", key, [f.name for f in dataclasses.fields(kind)])
        values[key] = _typed(f"{name}.{key}", value, types[key])
    return kind(**values)


def _typed(name: str, value: Any, kind: Any) -> Any:
    """``value`` as a ``kind``; an int may stand for a float and a list for a tuple, nothing else."""
    inner = get_args(kind)
    if inner and isinstance(value, (list, tuple)):
        return tuple(_typed(name, v, inner[0]) for v in value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if inner or type(value) is not kind:
        wanted = f"a list of {WORDS[inner[0]]}" if inner else WORDS[kind]
        raise TypeError(f"{name} must be {wanted}, got {value!r}")
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
