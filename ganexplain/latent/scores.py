"""Where the scores of an attribute come from: a function of images, a name, a table, or labelled codes."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.latent.attributes import ATTRIBUTES, names
from ganexplain.models.critic import Critic
from ganexplain.models.generator import Generator

Source = str | Path | Callable[[Tensor], Tensor] | Tensor | Mapping[int, float] | tuple[Tensor, Tensor]
Attribute = Source | Sequence[str] | Mapping[str, Source] | None

FEWEST, FEWEST_OF_A_KIND = 10, 4  # scored codes: below, nothing can be held out
KEYS = ("index", "seed")
LARGEST = 1_000_000  # an index: all codes before it are drawn


@dataclass(frozen=True)
class Scored:
    """Codes with one number each.

    Attributes:
        codes: (L, D) float64, in the space that the direction is to be found in.
        values: (L,) float64; higher is more of the attribute.
        source: where the numbers come from, in words.
    """

    codes: Tensor
    values: Tensor
    source: str

    def __post_init__(self) -> None:
        if len(self.codes) != len(self.values) or len(self.values) < FEWEST:
            raise ValueError(
                f"an attribute needs at least {FEWEST} scored codes, one score each, got {len(self.codes)} codes and "
                f"{len(self.values)} scores"
            )

    @property
    def constant(self) -> bool:
        """Whether no code differs from another."""
        spread = float(self.values.max() - self.values.min())
        return spread <= 1e-9 * max(1.0, float(self.values.abs().max()))

    def check(self, name: str) -> None:
        """Refuse scores that tell no code from another, and labels with too few of one kind to hold some out.

        Raises:
            ValueError: see above.
        """
        if self.constant:
            raise ValueError(
                f"the attribute {name!r} is the same for all {len(self.values)} codes, so no direction changes it; "
                "score other codes, or another attribute"
            )
        kinds = sorted(set(self.values.tolist()))
        few = min(kinds, key=lambda kind: int((self.values == kind).sum()))
        count = int((self.values == few).sum())
        if len(kinds) == 2 and count < FEWEST_OF_A_KIND:
            raise ValueError(
                f"the attribute {name!r} has only {count} codes labelled {few:g}; label at least {FEWEST_OF_A_KIND} of "
                "either kind"
            )


@dataclass(frozen=True)
class Ground:
    """A generator, and which of its codes are scored."""

    generator: Generator
    space: str
    n_codes: int
    seed: int
    batch_size: int = 64

    def codes(self, n: int, seed: int | None = None) -> Tensor:
        """(n, D) the first codes of a seed, which is that of the fit where none is named, in the space."""
        z = self.generator.sample(n, seed=self.seed if seed is None else seed)
        with torch.no_grad(), tensors.isolated(self.seed):
            return self.generator.encode(z, self.space).double().cpu()

    def drawn(self) -> Tensor:
        """(n_codes, D) other codes than the first of the seed, so that effects measured on those are held out."""
        return self.codes(self.n_codes, int(tensors.rng(self.seed, "scored").integers(2**31)))


def named(attribute: Attribute, channels: int) -> dict[str, Any]:
    """Name to source, one entry a direction; None is every built-in attribute that such images have."""
    if attribute is None:
        return {name: name for name in names(channels)}
    if isinstance(attribute, Mapping) and all(isinstance(k, str) for k in attribute):
        found: dict[str, Any] = {str(name): source for name, source in attribute.items()}
    elif isinstance(attribute, str | Path):
        found = {str(attribute): attribute}
    elif isinstance(attribute, list | tuple) and not any(isinstance(part, Tensor) for part in attribute):
        found = {k: v for part in attribute for k, v in named(part, channels).items()}
    else:
        found = {_name(attribute): attribute}
    if not found:
        raise ValueError("no attribute is named; give at least one, or None for every built-in one")
    return found


def _name(source: Any) -> str:
    if isinstance(source, Critic):
        return "logit"
    name = str(getattr(source, "__name__", ""))
    return name if name.isidentifier() else "attribute"


def scored(sources: Mapping[str, Any], ground: Ground) -> dict[str, Scored]:
    """The scores of every source; functions of images share one rendering of the same codes.

    A CSV with several columns of scores gives one attribute a column, named by its heading.

    Raises:
        FileNotFoundError: there is no such CSV.
        TypeError: a source of another kind.
        ValueError: unknown names, tables that cannot be read, scores that are not finite or all the same.
    """
    functions = {name: _function(source) for name, source in sources.items() if _is_function(source)}
    rendered = _rendered(functions, sources, ground) if functions else {}
    found: dict[str, Scored] = {}
    for name, source in sources.items():
        more = {name: rendered[name]} if name in rendered else _tabled(name, source, ground)
        if twice := sorted(set(more) & set(found)):
            raise ValueError(f"the attribute {twice[0]!r} is named twice; give each another name")
        found |= more
    return found


def _is_csv(source: Any) -> bool:
    return isinstance(source, Path) or (isinstance(source, str) and source.lower().endswith(".csv"))


def _is_function(source: Any) -> bool:
    return callable(source) or (isinstance(source, str) and not _is_csv(source))


def _function(source: Any) -> Callable[[Tensor], Tensor]:
    if isinstance(source, str):
        return ATTRIBUTES[checks.one_of("attribute", source, ATTRIBUTES)]
    if isinstance(source, Critic):
        return source.logits
    return source  # type: ignore[no-any-return]


def _rendered(
    functions: Mapping[str, Callable[[Tensor], Tensor]], sources: Mapping[str, Any], ground: Ground
) -> dict[str, Scored]:
    codes = ground.drawn()
    columns: dict[str, list[Tensor]] = {name: [] for name in functions}
    like = next(ground.generator.parameters(), torch.zeros(1))
    for start in range(0, len(codes), ground.batch_size):
        batch = codes[start : start + ground.batch_size].to(like)
        images = ground.generator.render(batch, ground.space, batch_size=ground.batch_size)
        for name, function in functions.items():
            with torch.no_grad(), tensors.isolated(ground.seed):
                values = torch.as_tensor(function(images))
            if values.numel() != len(batch):
                raise ValueError(
                    f"the attribute {name!r} must return one number an image, (N,), got {tuple(values.shape)} for "
                    f"{len(batch)} images"
                )
            columns[name].append(values.detach().reshape(-1).double().cpu())
    words = {name: "built in" if isinstance(sources[name], str) else "a function of images" for name in functions}
    return {
        name: Scored(codes, checks.finite(torch.cat(parts), f"the scores of {name!r}"), words[name])
        for name, parts in columns.items()
    }


def _tabled(name: str, source: Any, ground: Ground) -> dict[str, Scored]:
    if _is_csv(source):
        table = read_csv(Path(source), ground)
        if name == str(source):
            return table
        return {name if len(table) == 1 else f"{name}.{head}": scores for head, scores in table.items()}
    if isinstance(source, Mapping):
        keys = list(source)
        if not keys or not all(isinstance(k, int) and k >= 0 for k in keys):
            raise TypeError(f"a table of scores for {name!r} must map the index of a code (0, 1, ...) to a number")
        codes = ground.codes(max(keys) + 1)[keys]
        values = torch.tensor([float(v) for v in source.values()], dtype=torch.double)
        words = f"a table of {len(keys)} codes"
    elif isinstance(source, Tensor):
        codes, values, words = ground.codes(len(source)), source, f"the first {len(source)} codes"
    elif isinstance(source, tuple) and len(source) == 2 and all(isinstance(part, Tensor) for part in source):
        codes, values = source
        words = f"{len(codes)} labelled codes"
        width = ground.codes(1).shape[1]
        if codes.ndim != 2 or codes.shape[1] != width:
            raise ValueError(
                f"labelled codes for {name!r} must have the shape (L, {width}), got {tuple(codes.shape)}; images have "
                "no code: label images of the generator, and hand in their codes"
            )
    else:
        raise TypeError(
            f"the attribute {name!r} must be a name, a function of images, a CSV, a table of index to score, scores "
            f"(L,), or (codes, labels), got {type(source).__name__}"
        )
    flat = checks.finite(values.detach().reshape(-1).double().cpu(), f"the scores of {name!r}")
    return {name: Scored(checks.finite(codes.detach().double().cpu(), "codes"), flat, words)}


def read_csv(path: Path, ground: Ground) -> dict[str, Scored]:
    """One attribute a column of numbers; an empty cell leaves that code out of that attribute.

    A column ``index`` counts the codes of ``generator.sample(n, seed=seed)`` from 0; a column ``seed`` names
    ``generator.sample(1, seed=...)`` instead. Labels are scores as well: 1 and 0.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; a table of scores has the columns index (or seed) and one a score")
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), skipinitialspace=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no readable CSV in UTF-8: {error}") from error
    heads = [h.strip() for h in (rows[0] if rows else {}) if h is not None]
    key = next((k for k in KEYS if k in heads), None)
    scores = [h for h in heads if h and h not in KEYS]
    if key is None or not scores:
        raise ValueError(
            f"{path} must start with a line of headings, such as index,smile: index (or seed) and one column a score, "
            f"got {', '.join(heads) or 'an empty file'}"
        )
    places = [_integer(path, i, key, row) for i, row in enumerate(rows, 2)]
    if len(set(places)) < len(places):
        twice = next(p for p in places if places.count(p) > 1)
        raise ValueError(f"{path} scores {key} {twice} more than once; keep one line for each")
    if key == "index" and max(places) > LARGEST:
        raise ValueError(f"{path} has the index {max(places)}, beyond {LARGEST}; name codes by seed instead")
    codes = torch.cat([ground.codes(1, p) for p in places]) if key == "seed" else ground.codes(max(places) + 1)[places]
    found = {}
    for head in scores:
        values = [_number(path, i, head, row) for i, row in enumerate(rows, 2)]
        kept = [i for i, v in enumerate(values) if v is not None]
        numbers = torch.tensor([v for v in values if v is not None], dtype=torch.double)
        found[head] = Scored(codes[kept], numbers, f"{path.name}, {len(kept)} codes")
    return found


def _cell(row: Mapping[str, Any], head: str) -> str:
    return next((str(v or "").strip() for k, v in row.items() if k is not None and k.strip() == head), "")


def _integer(path: Path, line: int, key: str, row: Mapping[str, Any]) -> int:
    text = _cell(row, key)
    if not text.isdecimal():
        raise ValueError(f"{path}, line {line}: {key} must be a whole number from 0, got {text!r}")
    return int(text)


def _number(path: Path, line: int, head: str, row: Mapping[str, Any]) -> float | None:
    text = _cell(row, head)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise ValueError(
            f"{path}, line {line}: {head} must be a number, got {text!r}; write labels as 1 and 0"
        ) from error
    if value != value or abs(value) == float("inf"):
        raise ValueError(f"{path}, line {line}: {head} must be finite, got {text!r}; leave the cell empty instead")
    return value
