"""What a file of weights does not say: how its network reads images, what its output means, where codes come from."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganexplain import checks, store
from ganexplain.models.outputs import KINDS, POOLS
from ganexplain.models.preprocess import ORDERS, RESIZES, Preprocess
from ganexplain.models.priors import PRIORS

if TYPE_CHECKING:
    from ganexplain.models.forms import Form

LARGEST = 65_536  # bytes of a spec file


@dataclass(frozen=True)
class CriticSpec:
    """What the output of a discriminator or detector means; None is not said.

    Attributes:
        output: "logit", "probability", "score", "classes" or "class_probabilities".
        polarity: "real" when a high output means real, "fake" when it means fake.
        pool: how a patch map is pooled ("mean", "max", "min", "logsumexp" or a cell [i, j]).
        real_class: the column that means real, where there are several.
    """

    output: str | None = None
    polarity: str | None = None
    pool: str | tuple[int, int] | None = None
    real_class: int | None = None

    def __post_init__(self) -> None:
        _one_of("[critic] output", self.output, KINDS)
        _one_of("[critic] polarity", self.polarity, ("real", "fake"))
        if isinstance(self.pool, (list, tuple)):
            object.__setattr__(self, "pool", _numbers("[critic] pool", self.pool, 2, whole=True))
        else:
            _one_of("[critic] pool", self.pool, POOLS)
        _whole("[critic] real_class", self.real_class, 0)


@dataclass(frozen=True)
class ImageSpec:
    """How a network reads images; None is not said. See `ganexplain.models.preprocess.Preprocess`."""

    range: tuple[float, float] | None = None
    size: int | tuple[int, int] | None = None
    resize: str | None = None
    channels: int | None = None
    order: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        _set_range(self, "[images] range")
        if isinstance(self.size, (list, tuple)):
            object.__setattr__(self, "size", _numbers("[images] size", self.size, 2, whole=True))
        else:
            _whole("[images] size", self.size, 1)
        _one_of("[images] resize", self.resize, RESIZES)
        _whole("[images] channels", self.channels, 1)
        _one_of("[images] order", self.order, ORDERS)
        for name in ("mean", "std"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _numbers(f"[images] {name}", value, None))

    def preprocess(self) -> Preprocess:
        """The preprocessing, with the defaults of `Preprocess` for what is not said."""
        said = {name: value for name, value in vars(self).items() if value is not None}
        if "range" in said:
            said["value_range"] = said.pop("range")
        return Preprocess(**said)


@dataclass(frozen=True)
class GeneratorSpec:
    """Where a generator's codes come from and how its images are to be read; None is not said.

    Attributes:
        z_dim: length of a code.
        prior: a name of `ganexplain.models.priors.PRIORS`.
        range: the range of the images that the network makes.
    """

    z_dim: int | None = None
    prior: str | None = None
    range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        _whole("[generator] z_dim", self.z_dim, 1)
        _one_of("[generator] prior", self.prior, PRIORS)
        _set_range(self, "[generator] range")


@dataclass(frozen=True)
class Spec:
    """What is said about a file of weights; None is not said.

    Attributes:
        layout: a name of `ganexplain.models.foreign.LAYOUTS`.
        network: the name of one of several networks in the file.
        label: the class for which a conditional network judges or draws: a number, or a name where names are known.
        role: "discriminator" or "generator", where shapes do not tell.
        critic: what the output means.
        images: how images are read.
        generator: where codes come from.
        table: arguments of `Table` for a network of rows, such as {"names": ["age", "height"]}; {} is not said.
        signal: arguments of `Signal` for a network of signals; {} is not said.
        architecture: options of the layout, such as {"slope": 0.2}.
    """

    layout: str | None = None
    network: str | None = None
    label: int | str | None = None
    role: str | None = None
    critic: CriticSpec = field(default_factory=CriticSpec)
    images: ImageSpec = field(default_factory=ImageSpec)
    generator: GeneratorSpec = field(default_factory=GeneratorSpec)
    table: Mapping[str, Any] = field(default_factory=dict)
    signal: Mapping[str, Any] = field(default_factory=dict)
    architecture: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("layout", "network"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise ValueError(f"{name} must be a name in quotes, got {value!r}")
        _whole("label", None if isinstance(self.label, str) else self.label, 0)
        _one_of("role", self.role, ("discriminator", "generator"))
        if self.table and self.signal:
            raise ValueError("[table] and [signal] were both given, and a network reads one of them; leave one out")

    def form(self) -> Form | None:
        """What the network reads or makes instead of images; None for images.

        Raises:
            ValueError: an unknown key or a value that does not fit.
        """
        from ganexplain.models.signal import Signal
        from ganexplain.models.table import Table

        for section, given, kind in (("table", self.table, Table), ("signal", self.signal, Signal)):
            for key in given:
                checks.one_of(f"key of [{section}]", key, [f.name for f in fields(kind) if f.init])
            if given:
                form: Form = kind(**_frozen(given))
                return form
        return None

    @classmethod
    def read(cls, path: str | Path) -> Spec:
        """The spec in a TOML file.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is no TOML, or has an unknown key (the nearest is named) or value.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"no spec file {path}")
        if path.stat().st_size > LARGEST:
            raise ValueError(f"{path} has {path.stat().st_size} bytes, expected a spec of at most {LARGEST}")
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"{path} is no TOML: {error}") from None
        try:
            return cls.of(found)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: {error}") from error

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Spec:
        """The spec of a mapping shaped as the TOML file is.

        Raises:
            ValueError: an unknown key or value.
        """
        names = [f.name for f in fields(cls)]
        said: dict[str, Any] = {}
        for name, value in values.items():
            checks.one_of("key of a spec", name, names)
            part = SECTIONS.get(name)
            if (part or name in FREE) and not isinstance(value, Mapping):
                raise ValueError(f"[{name}] must be a section of its own, got {value!r}")
            if part is not None:
                for key in value:
                    checks.one_of(f"key of [{name}]", key, [f.name for f in fields(part)])
                value = part(**value)
            said[name] = value
        return cls(**said)

    def over(self, other: Spec) -> Spec:
        """This spec, and what only ``other`` says."""
        merged = {}
        for f in fields(self):
            mine, theirs = getattr(self, f.name), getattr(other, f.name)
            if f.name in SECTIONS:
                said = {k: v for k, v in vars(mine).items() if v is not None}
                merged[f.name] = replace(theirs, **said)
            elif f.name in FREE:
                merged[f.name] = {**theirs, **mine}
            else:
                merged[f.name] = theirs if mine is None else mine
        return Spec(**merged)

    def to_dict(self) -> dict[str, Any]:
        """What is said, shaped as the TOML file is."""
        whole = {name: _said(value) if isinstance(value, dict) else value for name, value in asdict(self).items()}
        return {name: value for name, value in whole.items() if value not in (None, {})}

    def toml(self, comments: Mapping[str, str] | None = None) -> str:
        """The text of a file that `read` takes; ``comments`` by dotted key, such as "images.range"."""
        comments, plain = comments or {}, self.to_dict()
        lines = [_line(k, v, comments.get(k)) for k, v in plain.items() if not isinstance(v, dict)]
        for name, section in plain.items():
            if isinstance(section, dict):
                lines += ["", f"[{name}]", *(_line(k, v, comments.get(f"{name}.{k}")) for k, v in section.items())]
        return "\n".join(lines).strip() + "\n"

    def write(self, path: str | Path, comments: Mapping[str, str] | None = None) -> Path:
        """Write `toml`, atomically."""
        return store.write_bytes(path, self.toml(comments).encode())


def said(spec: Spec | str | Path | None, **own: str | int | None) -> Spec:
    """A spec or the file of one, under what is said beside it (layout, network, label)."""
    known = Spec() if spec is None else spec if isinstance(spec, Spec) else Spec.read(spec)
    return Spec.of({name: value for name, value in own.items() if value is not None}).over(known)


FREE = ("table", "signal", "architecture")  # sections whose keys are somebody else's
SECTIONS = {"critic": CriticSpec, "images": ImageSpec, "generator": GeneratorSpec}


def _frozen(value: Any) -> Any:
    """Lists of a TOML file as tuples, which forms are made of."""
    if isinstance(value, Mapping):
        return {k: _frozen(v) for k, v in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _said(section: Mapping[str, Any]) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in section.items() if v is not None}


def _line(key: str, value: Any, comment: str | None) -> str:
    said = f"{key} = {_value(value)}"
    return said if not comment else f"{said}  # {' '.join(comment.split())}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        inner = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in inner) + '"'
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_value(str(k))} = {_value(v)}" for k, v in value.items()) + "}"
    return repr(value)


def _one_of(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value is None:
        return
    if not isinstance(value, str):
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
    checks.one_of(name, value, choices)


def _whole(name: str, value: Any, least: int) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")


def _numbers(name: str, value: Any, count: int | None, *, whole: bool = False) -> tuple[Any, ...]:
    kinds = (int,) if whole else (int, float)
    right = isinstance(value, (list, tuple)) and all(isinstance(v, kinds) and not isinstance(v, bool) for v in value)
    if not right or len(value) != (count or len(value)) or not value:
        what = f"{count} numbers" if count else "numbers"
        raise ValueError(f"{name} must be a list of {'whole ' if whole else ''}{what}, got {value!r}")
    return tuple(value)


def _set_range(spec: ImageSpec | GeneratorSpec, name: str) -> None:
    if spec.range is not None:
        low, high = _numbers(name, spec.range, 2)
        if not low < high:
            raise ValueError(f"{name} must be [low, high] with low < high, got {list(spec.range)}")
        object.__setattr__(spec, "range", (float(low), float(high)))
