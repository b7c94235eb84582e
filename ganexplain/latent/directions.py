"""Directions in a generator's latent space: what every finder returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ganexplain import checks, store, tensors
from ganexplain.models import priors
from ganexplain.models.generator import Generator

if TYPE_CHECKING:
    from ganexplain.figures.style import Figure

SCHEMA = 1
UNIT = 1e-4  # float32 rounding of a unit vector with thousands of entries stays well below
AMOUNTS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)


@dataclass(frozen=True)
class Directions:
    """K directions, each with a natural step.

    An edit is ``code + amount * scale * vector``: amounts are in standard deviations of the codes along the direction.
    Codes are never clipped, since that would change the direction: under a uniform prior an edited code may leave
    [-1, 1], where the generator was never trained; `outside_prior` says how much of it does.

    Attributes:
        vectors: (K, D) of length 1.
        scale: (K,) standard deviation of the codes along each vector.
        strength: (K,) what the finder sorts by (for SeFa the eigenvalue), or None.
        space: latent space that the codes live in.
        layers: module paths that the directions were read from.
        names: K names.
        method: name of the finder.
        params: its settings and findings; plain JSON.
        stands_out: K flags, whether a direction is told from chance; None where the finder cannot say.
        prior: the distribution of z, a name of `ganexplain.models.priors.PRIORS`.
        fingerprint: of the generator's weights; None fits any generator (`dataclasses.replace` it to move a set).
    """

    vectors: Tensor
    scale: Tensor
    strength: Tensor | None = None
    space: str = "z"
    layers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    method: str = "given"
    params: Mapping[str, Any] = field(default_factory=dict)
    stands_out: tuple[bool, ...] | None = None
    prior: str = "normal"
    fingerprint: str | None = None

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or 0 in self.vectors.shape:
            raise ValueError(f"vectors must have the shape (K, D), got {tuple(self.vectors.shape)}")
        count = len(self.vectors)
        checks.finite(self.vectors, "vectors")
        length = self.vectors.double().norm(dim=1)
        worst = int((length - 1).abs().argmax())
        if abs(float(length[worst]) - 1) > UNIT:
            raise ValueError(
                f"vectors must have length 1, got {length[worst]:g} for direction {worst}; divide by the norm"
            )
        if self.scale.shape != (count,) or not bool((checks.finite(self.scale, "scale") > 0).all()):
            raise ValueError(
                f"scale must be {count} positive numbers, got {tuple(self.scale.shape)} {self.scale.tolist()}"
            )
        if self.strength is not None and self.strength.shape != (count,):
            raise ValueError(f"strength must have the shape ({count},), got {tuple(self.strength.shape)}")
        names = self.names or tuple(f"direction {i}" for i in range(count))
        object.__setattr__(self, "names", tuple(names))
        for what, row in (("names", self.names), ("stands_out", self.stands_out)):
            if row is not None and len(row) != count:
                raise ValueError(f"{what} must have one entry a direction ({count}), got {len(row)}")
        checks.one_of("prior", self.prior, priors.PRIORS)

    def __len__(self) -> int:
        return len(self.vectors)

    def __repr__(self) -> str:
        found = "" if self.stands_out is None else f", {sum(self.stands_out)} stand out"
        return f"Directions({len(self)} of {self.vectors.shape[1]} in {self.space} by {self.method}{found})"

    def steps(self) -> Tensor:
        """(K, D) what an edit by one standard deviation adds to a code."""
        return self.vectors * self.scale[:, None].to(self.vectors)

    def edit(self, codes: Tensor, index: int, amount: float | Tensor) -> Tensor:
        """Move codes (N, D) along direction ``index``.

        Args:
            codes: (N, D) in the space of the directions.
            index: which direction, from 0.
            amount: in standard deviations; one number, or (N,) one a code.

        Raises:
            ValueError: codes of another width, or no such direction.
        """
        self._check(codes)
        if not 0 <= index < len(self):
            raise ValueError(f"index must be 0 to {len(self) - 1}, got {index}")
        by = torch.as_tensor(amount, dtype=codes.dtype, device=codes.device)
        return codes + by.reshape(-1, 1) * self.steps()[index].to(codes)

    def transform(self, codes: Tensor) -> Tensor:
        """(N, K) coordinates of codes (N, D) along the directions, in standard deviations.

        Least squares, so that `edit` by ``a`` changes its own coordinate by ``a`` and no other one, also where the
        directions are not at right angles (linearly independent suffices); for orthogonal ones, the inner product.
        """
        self._check(codes)
        inverse = torch.linalg.pinv(self.steps().double()).to(codes.device)
        coordinates: Tensor = codes.double() @ inverse
        return coordinates.to(codes.dtype)

    def outside_prior(self, codes: Tensor) -> float:
        """Share of the entries of codes (N, D) where the prior has no mass, such as beyond [-1, 1] if it is uniform."""
        edge = priors.EDGES.get(self.prior)
        return 0.0 if edge is None or self.space != "z" else float((codes.abs() > edge).double().mean())

    def without(self, conditions: Directions | Tensor, generator: Generator | None = None) -> Directions:
        """These directions without what any of the conditions (C, D) reads: edits leave those attributes alone.

        Warns where less than 0.3 of a direction is left: it cannot be separated from the conditions. ``generator`` is
        needed outside z, to measure the scale of the new directions.
        """
        from ganexplain.latent.projection import without

        return without(self, conditions, generator)

    def selective(self, generator: Generator | None = None) -> Directions:
        """These directions, each without what any of the others reads: an edit moves one attribute alone."""
        from ganexplain.latent.projection import selective_of

        return selective_of(self, generator)

    def traverse(
        self,
        generator: Generator,
        codes: Tensor,
        index: int,
        amounts: Sequence[float] = AMOUNTS,
        *,
        batch_size: int = 64,
    ) -> Tensor:
        """Images (N, A, C, H, W), rows or signals of codes (N, D) moved along direction ``index`` by each of A amounts.

        Raises:
            ValueError: the directions belong to another generator or space.
        """
        self.check(generator)
        moved = torch.stack([self.edit(codes, index, a) for a in amounts], 1)
        images = generator.render(moved.flatten(0, 1), self.space, batch_size=batch_size)
        return images.reshape(len(codes), len(amounts), *images.shape[1:])

    def plot(
        self, generator: Generator, codes: Tensor, index: int | None = None, amounts: Sequence[float] = AMOUNTS
    ) -> Figure:
        """Strips of edited images: a code a row for direction ``index``, else a direction a row for the first code.

        Of a generator of signals lines are drawn instead, and of rows what each direction changes, feature by feature.
        """
        from ganexplain.figures.strips import strips
        from ganexplain.latent.drawing import drawn

        if generator.form.name != "images":
            return drawn(self, generator, codes, index, amounts)
        if index is None:
            rows = [self.traverse(generator, codes[:1], i, amounts)[0] for i in range(len(self))]
            return strips(torch.stack(rows), amounts, self.names, title=f"{len(self)} directions by {self.method}")
        panels = self.traverse(generator, codes, index, amounts)
        return strips(panels, amounts, [f"code {i}" for i in range(len(codes))], title=self.names[index])

    def check(self, generator: Generator) -> None:
        """Refuse a generator that these directions were not found in.

        Raises:
            ValueError: it has no such space, its codes have another width, or its weights are others.
        """
        if self.space not in generator.spaces:
            raise ValueError(
                f"these directions live in {self.space!r}, and the generator has the spaces {generator.spaces}"
            )
        if self.space == "z" and generator.z_dim != self.vectors.shape[1]:
            raise ValueError(
                f"these directions have {self.vectors.shape[1]} numbers, the generator's codes {generator.z_dim}"
            )
        if self.fingerprint is not None and self.fingerprint != fingerprint(generator):
            raise ValueError(
                f"these directions were found in a generator with other weights (fingerprint {self.fingerprint}, this "
                f"one has {fingerprint(generator)}); find them anew, or replace their fingerprint by None to use them "
                "all the same"
            )

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file: vectors, scale and strength, and all else as JSON metadata."""
        return store.write_bytes(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """The bytes of the file that `save` writes."""
        state = {"vectors": self.vectors, "scale": self.scale}
        if self.strength is not None:
            state["strength"] = self.strength
        rest = {k: v for k, v in asdict(self).items() if k not in ("vectors", "scale", "strength")}
        return store.tensor_bytes(state, {"kind": "directions", "schema": SCHEMA, **rest})

    @classmethod
    def load(cls, path: str | Path, generator: Generator | None = None) -> Directions:
        """Read a file of `save`, and `check` it against ``generator`` if one is given.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is of another kind or a newer version, damaged, or for another generator.
        """
        state, rest = store.load_tensors(path)
        if rest.pop("kind", None) != "directions" or not {"vectors", "scale"} <= set(state):
            raise ValueError(f"{path} holds no directions; expected a file of Directions.save")
        with store.reading(path, "set of directions"):
            if rest["schema"] > SCHEMA:
                raise ValueError(
                    f"{path} has the newer schema {rest['schema']} (this reads {SCHEMA}); upgrade ganexplain"
                )
            del rest["schema"]
            for name in ("layers", "names", "stands_out"):  # JSON has no tuples
                rest[name] = None if rest[name] is None else tuple(rest[name])
            found = cls(**{**state, **rest})
        if generator is not None:
            found.check(generator)
        return found

    def _check(self, codes: Tensor) -> None:
        if codes.ndim != 2 or codes.shape[1] != self.vectors.shape[1]:
            raise ValueError(
                f"codes in {self.space} must have the shape (N, {self.vectors.shape[1]}), got {tuple(codes.shape)}"
            )
        if not codes.is_floating_point():
            raise TypeError(f"codes must be float, got {codes.dtype}")


def fingerprint(generator: Generator) -> str:
    """16 hex digits over the generator's weights and buffers."""
    return store.fingerprint(generator.state_dict())


def spread(generator: Generator, vectors: Tensor, space: str, *, seed: int = 0, n: int = 2048) -> Tensor:
    """(K,) standard deviation of the codes along unit vectors (K, D): exact in z, from ``n`` codes elsewhere."""
    if space == "z":
        return torch.full((len(vectors),), priors.deviation(generator.prior))
    with torch.no_grad(), tensors.isolated(seed):
        codes = generator.encode(generator.sample(n, seed=seed), space)
    return (codes.double() @ vectors.double().to(codes.device).T).std(0).float().cpu()
