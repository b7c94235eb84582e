"""Several sets of directions of one generator side by side: strips of the same image, and a table of figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ganexplain.latent.directions import Directions, spread
from ganexplain.latent.effects import Effects, effects, image_change, random_directions, rounded
from ganexplain.latent.finders import measure
from ganexplain.models.critic import Critic
from ganexplain.models.generator import Generator

if TYPE_CHECKING:
    from ganexplain.figures.style import Figure

AMOUNTS = (-3.0, -1.5, 0.0, 1.5, 3.0)
DUPLICATE = 0.9  # |cos| from which two directions are called the same


@dataclass(frozen=True)
class Comparison:
    """Sets of directions of one generator, and what each direction does.

    Attributes:
        sets: name to directions.
        panels: name to (K, A, C, H, W): one image edited along each direction by each amount.
        image: name to (K,) mean absolute change of a pixel per standard deviation, on the scale [-1, 1].
        cosine: name to (K,) largest |cos| with a direction of another set; 0 where there is no other.
        nearest: name to K (set, index) of those.
        effects: of all directions, in the order of the sets; None without a critic.
        amounts: A, in standard deviations.
        n_codes: codes that the changes are averaged over.
    """

    sets: Mapping[str, Directions]
    panels: Mapping[str, Tensor]
    image: Mapping[str, Tensor]
    cosine: Mapping[str, Tensor]
    nearest: Mapping[str, tuple[tuple[str, int], ...]]
    effects: Effects | None
    amounts: tuple[float, ...]
    n_codes: int

    def table(self) -> list[dict[str, Any]]:
        """One row a direction, ready for JSON."""
        rows: list[dict[str, Any]] = []
        moved = self.effects.table() if self.effects else []
        for name, directions in self.sets.items():
            for i, called in enumerate(directions.names):
                other = self.nearest[name][i] if self.nearest[name] else None
                strength = None if directions.strength is None else _short(directions.strength[i])
                row = {"set": name, "index": i, "name": called, "measure": measure(directions), "strength": strength}
                row |= {"stands_out": directions.stands_out[i] if directions.stands_out else None}
                row |= {"image": _short(self.image[name][i]), "cosine": _short(self.cosine[name][i])}
                row |= {"nearest": None if other is None else {"set": other[0], "index": other[1]}}
                row |= {"duplicate": bool(self.cosine[name][i] >= DUPLICATE)}
                row |= {"effect": {k: v for k, v in moved[len(rows)].items() if k != "name"} if moved else None}
                rows.append(row)
        return rows

    def effects_of(self, name: str) -> Effects | None:
        """The effects of one set alone, beside the same random directions; None without a critic."""
        if self.effects is None:
            return None
        before = sum(len(self.sets[other]) for other in list(self.sets)[: list(self.sets).index(name)])
        directions = self.sets[name]
        found = self.effects.found.part(slice(before, before + len(directions)))
        return replace(self.effects, names=directions.names, found=found)

    def headline(self, whose: str = "the critic") -> str:
        """One sentence: which direction of all sets moves the critic's logit most, and what random ones do.

        Raises:
            ValueError: no critic was given.
        """
        if self.effects is None:
            raise ValueError("no critic was given, so nobody's logit was measured; compare(..., critic=...)")
        return self.effects.headline(whose)

    def __repr__(self) -> str:
        sets = ", ".join(f"{len(found)} of {name}" for name, found in self.sets.items())
        judged = "" if self.effects is None else f", changes of the {self.effects.unit}"
        return f"Comparison({sets}; on {self.n_codes} codes{judged})"

    def plot(self, title: str = "") -> Figure:
        """The strips: a column of blocks a set, a row a direction; how strong each is, in its finder's own words."""
        from ganexplain.figures.blocks import Block, blocks

        rows = {name: [row for row in self.table() if row["set"] == name] for name in self.sets}
        given = [
            Block(name, _about(directions), self.panels[name], [self._label(row) for row in rows[name]])
            for name, directions in self.sets.items()
        ]
        note = f"|cos| ≥ {DUPLICATE:g} with a direction of another block is marked =."
        if self.effects is not None:
            unit, chance = self.effects.unit, self.effects.chance
            note += (
                f" The {unit}'s change is that per standard deviation, mean over {self.n_codes} codes; 95 % of random "
                f"directions stay below {chance:.2g}."
            )
        return blocks(given, self.amounts, title=title, note=note)

    def _label(self, row: Mapping[str, Any]) -> str:
        said = []
        if row["strength"] is not None:
            said.append(figure_of(row["strength"]))
        if row["duplicate"]:
            said.append(f"= {row['nearest']['set']} {row['nearest']['index']}")
        if row["effect"] is not None and self.effects is not None:
            said.append(f"{self.effects.unit} {rounded(row['effect']['mean'], row['effect']['error'])}")
        return f"{row['name']}\t{' · '.join(said)}"

    def _repr_png_(self) -> bytes:
        from ganexplain.figures.style import png

        return png(self.plot())


def compare(
    sets: Mapping[str, Directions],
    generator: Generator,
    codes: Tensor,
    *,
    critic: Critic | None = None,
    amounts: Sequence[float] = AMOUNTS,
    seed: int = 0,
) -> Comparison:
    """Put sets of directions side by side on the same code, at the same amounts in standard deviations.

    Args:
        sets: name to directions of one space of ``generator``, such as ``{"sefa": a, "ganspace": b}``.
        generator: makes the images.
        codes: (N, D) in that space, at least 2: the first is shown, the changes are averaged over the others.
        critic: whose logit is measured, if any.
        amounts: of the strips.
        seed: of the random directions that changes of the logit are compared with.

    Raises:
        ValueError: no sets, sets of several spaces or of another generator, or too few codes.
    """
    if not sets:
        raise ValueError("there is nothing to compare; give at least one set of directions")
    spaces = sorted({directions.space for directions in sets.values()})
    if len(spaces) > 1:
        raise ValueError(f"directions can be compared within one space, and these live in {', '.join(spaces)}")
    least = 2 if critic is None else 3
    if len(codes) < least:
        raise ValueError(f"a comparison needs at least {least} codes (the first is only shown), got {len(codes)}")
    for directions in sets.values():
        directions.check(generator)
    joined = _joined(sets)
    rest, moved = codes[1:], None
    if critic is None:
        image = image_change(joined, generator, rest)
    else:
        unit = spread(generator, joined.vectors[:1], joined.space, seed=seed)
        control = random_directions(replace(joined, scale=unit.mean().expand(len(joined))), seed=seed)
        moved = effects(joined, generator, critic, rest, control=control)
        image = moved.found.image
    sizes = [len(directions) for directions in sets.values()]
    cosine, nearest = _nearest(sets)
    panels = {
        name: torch.cat([found.traverse(generator, codes[:1], i, amounts) for i in range(len(found))])
        for name, found in sets.items()
    }
    images = dict(zip(sets, torch.split(image, sizes), strict=True))
    return Comparison(dict(sets), panels, images, cosine, nearest, moved, tuple(amounts), len(rest))


def _joined(sets: Mapping[str, Directions]) -> Directions:
    """All directions as one set, each called by its set and name."""
    first = next(iter(sets.values()))
    return Directions(
        torch.cat([d.vectors.float() for d in sets.values()]),
        torch.cat([d.scale.float() for d in sets.values()]),
        space=first.space,
        names=tuple(f"{called} of {name}" for name, d in sets.items() for called in d.names),
        prior=first.prior,
        fingerprint=first.fingerprint,
    )


def _nearest(sets: Mapping[str, Directions]) -> tuple[dict[str, Tensor], dict[str, tuple[tuple[str, int], ...]]]:
    """Per direction the largest |cos| with a direction of another set, and which one that is."""
    cosine: dict[str, Tensor] = {}
    nearest: dict[str, tuple[tuple[str, int], ...]] = {}
    for name, directions in sets.items():
        others = [(other, i) for other, d in sets.items() if other != name for i in range(len(d))]
        if not others:
            cosine[name], nearest[name] = torch.zeros(len(directions)), ()
            continue
        rows = torch.cat([d.vectors for other, d in sets.items() if other != name])
        best = (directions.vectors.double() @ rows.double().T).abs().max(1)
        cosine[name] = best.values
        nearest[name] = tuple(others[i] for i in best.indices.tolist())
    return cosine, nearest


def figure_of(value: float) -> str:
    """Three digits, and never an exponent for a large number.

    >>> figure_of(0.92236), figure_of(81.3372), figure_of(1243.17)
    ('0.922', '81.3', '1,243')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _about(directions: Directions) -> str:
    """A line on the whole set."""
    said = [] if directions.strength is None else [measure(directions)]
    if directions.stands_out is not None:
        said.append(f"{sum(directions.stands_out)} of {len(directions)} stand out")
    return "; ".join(said)


def _short(value: Tensor) -> float:
    """Six digits: what is beyond differs between machines."""
    return float(f"{float(value):.6g}")
