"""Latent codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.attribution.baselines import Origin
from ganexplain.attribution.chart import BaselineLike, Chart, Domain
from ganexplain.attribution.domains._codes import REST, Basis, DirectionsLike
from ganexplain.models.critic import Critic
from ganexplain.models.forms import Form
from ganexplain.models.generator import Generator
from ganexplain.models.private import settled

__all__ = ["Latent"]

MOST = 64  # coordinates that are still players one by one where no directions are given
ROUND = ("normal", "sphere")  # priors whose codes lie near a sphere round zero


class Latent(Domain):
    """Which latent direction: inputs are codes (N, D) of a generator, and what is judged is what it makes of them.

    Args:
        generator: what renders the codes; None takes the one that the critic knows. A conditional one draws its own
            class, see `Generator.given`. One in train mode is copied and set to eval mode.
        directions: K unit vectors with names, such as `Directions`, at right angles or not; None makes every coordinate
            a player, up to 64 of them.
        space: of the codes; None takes that of the directions, else "z".
        n_origins: random codes from which explanations start where no baseline is given.
        seed: of those codes, a stream of its own, so that they are none of ``generator.sample(n, seed=seed)``.

    Coordinates are (D,): first the amounts a along the directions, of which the code's part in their span is the sum,
    ``(V V^T) a = V z`` (for directions at right angles, the inner products), then those along an orthonormal basis of
    the complement, which are one player together, "the rest". Changing one amount moves the code along that direction
    and leaves all other amounts alone.

    Baselines are codes: (1 or N, D), or for a set (1 or N, K, D). Zero, the mean of a normal prior, is no typical code
    and what is made of it no typical image, so the default is a set of random ones, over which explanations are
    averaged; pictures show the first. Under a normal prior, or one on a sphere, the way between two codes in z is the
    great circle of their directions with the length going evenly from one to the other (spherical interpolation,
    White 2016), so that every point on it is as long as codes are; elsewhere it is straight.
    """

    name = "latent"
    form = Form
    own = False
    brings_origins = True

    def __init__(
        self,
        generator: Generator | None = None,
        directions: DirectionsLike | None = None,
        *,
        space: str | None = None,
        n_origins: int = 32,
        seed: int = 0,
    ) -> None:
        if generator is not None and not isinstance(generator, Generator):
            raise TypeError(
                f"generator must be a Generator, got {type(generator).__name__}; wrap it: Generator.wrap(network, ...)"
            )
        if directions is not None and space not in (None, directions.space):
            raise ValueError(f"the directions live in {directions.space!r} and not in {space!r}; leave space out")
        self.generator = None if generator is None else settled(generator)
        self.directions, self.seed = directions, int(seed)
        self.space = space or (directions.space if directions is not None else "z")
        self.n_origins = int(checks.positive(n_origins, "n_origins"))
        if self.generator is not None:
            self._basis(self.generator)

    def bind(self, critic: Critic, inputs: Tensor, baseline: BaselineLike = None) -> Chart:
        """The chart of codes (N, D)."""
        generator = self.of(critic)
        basis = self._basis(generator)
        codes = _codes(inputs, basis.width, "codes").detach()
        origin, name = self._origin(generator, critic, codes, baseline)
        made = basis.coordinates(origin.to(codes))
        many = made if made.ndim == 3 else None
        example = next(generator.parameters(), codes)

        def image(coordinates: Tensor, rows: Tensor) -> Tensor:
            made = generator.synthesize(basis.codes(coordinates).to(example), self.space)
            return made.to(coordinates.device)

        reference = critic.reference
        return Chart(
            point=basis.coordinates(codes),
            origin=made if many is None else many.mean(1),
            evidence=lambda coordinates, rows: critic(image(coordinates, rows)),
            players=basis.players.to(codes.device),
            names=basis.names,
            domain=self.name,
            baseline=name,
            origins=many,
            image=torch.no_grad()(image),
            curve=basis.arc if self.space == "z" and generator.prior in ROUND else None,
            shown=None if many is None else many[:, 0],
            scale=reference.iqr if reference is not None else 0.0,
            real_range=reference.range if reference is not None else None,
            facts=self._facts(basis, made.shape[1] if many is not None else 1),
        )

    def seen(self, critic: Critic, inputs: Tensor, *, batch_size: int = 64) -> Tensor:
        """What the generator makes of codes (N, D)."""
        generator = self.of(critic)
        codes = _codes(inputs, self._basis(generator).width, "codes").detach()
        example = next(generator.parameters(), codes)
        return generator.render(codes.to(example), self.space, batch_size=batch_size).to(codes)

    def baselines(self, critic: Critic, baseline: BaselineLike) -> int:
        """How many codes stand behind ``baseline``."""
        if isinstance(baseline, Tensor):
            return baseline.shape[1] if baseline.ndim == 3 else 1
        return self.n_origins if baseline is None else int(getattr(baseline, "n", 1))

    def of(self, critic: Critic) -> Generator:
        """The generator of the codes.

        Raises:
            ValueError: none was given, and the critic knows none.
        """
        if self.generator is not None:
            return self.generator
        if critic.generator is None:
            raise ValueError(
                "the domain 'latent' explains codes of a generator, and none is known; give it, Latent(generator), or "
                "use critic.with_generator(generator)"
            )
        return settled(critic.generator)

    def origins(self, generator: Generator) -> Tensor:
        """(n_origins, D) random codes in the space, the first ones alike for any number of them."""
        own = int(tensors.rng(self.seed, "origins").integers(2**31))
        codes = generator.sample(self.n_origins, seed=own)
        with torch.no_grad(), tensors.isolated():
            return tensors.batched(lambda z: generator.encode(z, self.space), 1, codes)

    def _origin(
        self, generator: Generator, critic: Critic, codes: Tensor, baseline: BaselineLike
    ) -> tuple[Tensor, str]:
        """Codes (1 or N, D), or a set (1 or N, K, D), and what they are called."""
        if baseline is None:
            drawn = self.origins(generator)
            return (drawn[None], f"{self.n_origins} random codes") if self.n_origins > 1 else (drawn, "a random code")
        if isinstance(baseline, str):
            raise ValueError(
                f"the domain 'latent' starts from codes, and the baseline {baseline!r} is an image; leave it out for "
                f"{self.n_origins} random codes, or give a tensor of codes"
            )
        made: Any = baseline if isinstance(baseline, Tensor) else baseline(critic, codes)
        if isinstance(made, Origin):
            made = made.images if made.many is None else made.many
        width = codes.shape[1]
        if (
            not isinstance(made, Tensor)
            or made.ndim not in (2, 3)
            or made.shape[-1] != width
            or (len(made) not in (1, len(codes)))
        ):
            what = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
            raise ValueError(
                f"a baseline of the domain 'latent' must be codes (1 or N, {width}), or a set (1 or N, K, {width}), "
                f"got {what}"
            )
        return checks.finite(made, "the baseline").detach().clone(), getattr(baseline, "name", "given codes")

    def _basis(self, generator: Generator) -> Basis:
        checks.one_of("latent space", self.space, generator.spaces)
        width = generator.z_dim if self.space == "z" else self._width(generator)
        if self.directions is None:
            if width > MOST:
                raise ValueError(
                    f"codes in {self.space!r} have {width} numbers, too many to be explained one by one; give "
                    "directions, Latent(generator, directions), such as those of SeFa, GanSpace or Jacobian"
                )
            return Basis.of(torch.eye(width, dtype=torch.float64), [f"{self.space} {i}" for i in range(width)])
        check = getattr(self.directions, "check", None)
        if callable(check):
            check(generator)
        vectors = self.directions.vectors.detach().cpu().double()
        if vectors.ndim != 2 or vectors.shape[1] != width:
            raise ValueError(f"directions must have vectors (K, {width}), got {tuple(vectors.shape)}")
        return Basis.of(vectors, self.directions.names)

    def _width(self, generator: Generator) -> int:
        with torch.no_grad(), tensors.isolated():
            return int(generator.encode(generator.sample(1), self.space).shape[1])

    def _facts(self, basis: Basis, origins: int) -> dict[str, Any]:
        method = getattr(self.directions, "method", None)
        return {"space": self.space, "n_directions": basis.known, "directions": method, "n_origins": origins}


def _codes(codes: Tensor, width: int, name: str) -> Tensor:
    if not isinstance(codes, Tensor) or not codes.is_floating_point():
        what = codes.dtype if isinstance(codes, Tensor) else type(codes).__name__
        raise TypeError(f"{name} must be a float tensor (N, {width}), got {what}")
    if codes.ndim != 2 or codes.shape[1] != width or not len(codes):
        raise ValueError(
            f"the domain 'latent' explains codes of the shape (N, {width}), got {tuple(codes.shape)}; of an image, "
            "find its code by ganexplain.invert"
        )
    return checks.finite(codes, name)


def rest_share(values: Tensor, names: Sequence[str]) -> Tensor:
    """(N,) share of the gross that "the rest" has, of values (N, P) per player; zero where the directions are all."""
    if not names or names[-1] != REST:
        return values.new_zeros(len(values))
    size = values.abs()
    return size[:, -1] / size.sum(1).clamp(min=torch.finfo(values.dtype).tiny)
