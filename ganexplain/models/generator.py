"""Anything that turns latent codes into images in [-1, 1]."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import torch
from torch import Tensor, nn

from ganexplain import checks, tensors
from ganexplain.models import priors
from ganexplain.models.conditional import known_labels
from ganexplain.models.first_layer import FirstLayer, first_layer_of
from ganexplain.models.forms import IMAGES, Form, Images
from ganexplain.models.private import private_copy

if TYPE_CHECKING:  # opening knows generators
    from ganexplain.models.about import About
    from ganexplain.models.spec import Spec


class Generator(nn.Module):
    """Base of all generators. A family overrides `forward`; one with more spaces `encode` and `first_layer` too.

    Attributes:
        spaces: latent spaces, left to right, such as ("z",) or ("z", "w", "w+", "s").
        z_dim: dimension of z.
        resolution: side of the square images in pixels.
        channels: 1 for grey, 3 for colour.
        num_classes: 0 for an unconditional generator.
        label: the class of images that `synthesize` draws where no labels are given, see `given`.
        about: the file that the generator was opened from and what was assumed, or None.
        prior: the distribution of z, a name of `ganexplain.models.priors.PRIORS`.
        form: what it makes: images, or rows of a `Table` or a `Signal`, both in their own units.
    """

    spaces: tuple[str, ...] = ("z",)
    z_dim: int
    resolution: int
    channels: int
    num_classes: int = 0
    label: int | None = None
    about: About | None = None
    prior: str = "normal"
    form: Form = IMAGES

    @staticmethod
    def from_checkpoint(
        path: str | Path,
        *,
        layout: str | None = None,
        network: str | None = None,
        label: int | None = None,
        spec: Spec | str | Path | None = None,
    ) -> Generator:
        """The generator in anybody's file of weights; no Python in it is run.

        Args:
            path: .pt, .pth, .ckpt, .tar, .safetensors or TorchScript.
            layout: a name of `ganexplain.models.foreign.LAYOUTS`; None recognises it from names and shapes.
            network: its name in a file of several networks; None takes the one whose name says generator.
            label: the class that a conditional generator is to draw.
            spec: what the file does not say (prior, range, class, ...), a `Spec` or a TOML file; what was assumed in
                its place is in ``about.unknown``.

        Raises:
            FileNotFoundError: no such file.
            ValueError: the file is damaged or refused, of no known layout, or holds no generator.
        """
        from ganexplain.models.opening import open_generator
        from ganexplain.models.spec import said

        return open_generator(path, said(spec, layout=layout, network=network, label=label))

    def given(self, label: int) -> Generator:
        """The same conditional generator that draws one class.

        Raises:
            ValueError: it knows no classes, or fewer.
        """
        if not 0 <= label < self.num_classes:
            known = f"0 to {self.num_classes - 1}" if self.num_classes else "nothing, since this generator knows none"
            raise ValueError(f"label must be {known}, got {label}")
        return self._variant(label=label)

    def _variant(self, **changes: Any) -> Generator:
        twin = copy.copy(self)
        twin.__dict__ = {**self.__dict__, **changes}
        return twin

    def labels(self, n: int, labels: Tensor | None = None) -> Tensor | None:
        """(n,) int64 labels to draw: those given, else the generator's own class; None where there are no classes.

        Raises:
            ValueError: a conditional generator has neither, or an unconditional one was given some.
        """
        if self.num_classes == 0:
            if labels is not None:
                raise ValueError("labels were given, but this generator knows no classes; leave them out")
            return None
        if labels is None and self.label is None:
            last = self.num_classes - 1
            raise ValueError(
                f"this generator draws an image of a class; say which: given(0) to given({last}), or labels=..."
            )
        if labels is None:
            return torch.full((n,), self.label or 0, dtype=torch.int64, device=self.device)
        return known_labels(labels, n, self.num_classes)

    def sample(self, n: int, *, seed: int = 0) -> Tensor:
        """(n, z_dim) codes from the prior; a larger n continues a smaller one with the same seed."""
        checks.positive(n, "n")
        return priors.drawn(self.prior, n, self.z_dim, seed=seed).to(self.device)

    def encode(
        self, codes: Tensor, to: str, *, source: str = "z", labels: Tensor | None = None, truncation_psi: float = 1.0
    ) -> Tensor:
        """Codes of the space ``source`` as codes of ``to``, which must not lie to the left of it."""
        checks.one_of("latent space", source, self.spaces)
        checks.one_of("latent space", to, self.spaces)
        if source != to:
            raise NotImplementedError(
                f"{type(self).__name__} must override encode, since it has the spaces {self.spaces}"
            )
        if truncation_psi != 1.0:
            raise ValueError(
                f"truncation_psi works in w, and this generator has the spaces {self.spaces}; leave it at 1"
            )
        return codes

    def synthesize(self, codes: Tensor, space: str = "z", *, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) in [-1, 1] of codes (N, d) in ``space``.

        Raises:
            ValueError: unknown space, wrong width, or codes that are not finite.
        """
        self._check_codes(codes, space)
        known = self.labels(len(codes), labels)
        images: Tensor = self(codes) if known is None else self(codes, known)
        return images

    def raw(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """What codes (N, z_dim) become as a discriminator reads it: images, or rows or signals as they are scaled."""
        return self.form.scaled(self(z) if labels is None else self(z, labels))

    def _check_codes(self, codes: Tensor, space: str) -> None:
        checks.one_of("latent space", space, self.spaces)
        if codes.ndim != 2 or (space == "z" and codes.shape[1] != self.z_dim):
            raise ValueError(f"codes in {space} must have the shape (N, {self.z_dim}), got {tuple(codes.shape)}")
        checks.finite(codes, "codes")

    def render(self, codes: Tensor, space: str = "z", *, labels: Tensor | None = None, batch_size: int = 64) -> Tensor:
        """`synthesize` without gradients, at most ``batch_size`` codes at a time."""

        def made(codes: Tensor, *known: Tensor) -> Tensor:
            return self.synthesize(codes, space, labels=known[0] if known else None)

        checked = None if labels is None else self.labels(len(codes), labels)
        known = [] if checked is None else [checked.to(codes.device)]
        with torch.no_grad(), tensors.isolated():
            return tensors.batched(made, batch_size, codes, *known)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        example = next(self.parameters(), None)
        return torch.device("cpu") if example is None else example.device

    def first_layer(self, space: str = "z") -> FirstLayer:
        """The first linear or transposed convolution that a code meets, found by running one code.

        Raises:
            ValueError: the first layer with weights is of another kind.
        """
        checks.one_of("latent space", space, self.spaces)
        return first_layer_of(self, self.sample(2, seed=0))

    @staticmethod
    def wrap(network: nn.Module, *, z_dim: int, prior: str = "normal", **draws: Unpack[Draws]) -> Generator:
        """Anybody's generator, on a private, frozen, eval copy.

        Args:
            network: maps codes to images; a conditional one takes labels (N,) int64 as second argument.
            z_dim: length of a code.
            prior: "normal", "uniform" (-1, 1), "sphere" or "truncated", see `ganexplain.models.priors.drawn`.
            **draws: ``code_shape``, the shape that the network reads a code in, such as (100, 1, 1) for a DCGAN, by
                default (z_dim,); ``value_range``, the range of the network's images, by default (-1, 1);
                ``num_classes`` of a conditional network; ``form``, a `Table` or `Signal`, for a network that makes no
                images but rows (N, F) or signals (N, C, L), scaled as the form says; they come in the form's own units.
        """
        for word in draws:
            if word not in Draws.__annotations__:
                raise TypeError(f"Generator.wrap has no argument {word!r}; it takes {', '.join(Draws.__annotations__)}")
        return WrappedGenerator(network, z_dim, prior, draws)


class Draws(TypedDict, total=False):
    """How a network reads codes and draws; see `Generator.wrap`."""

    code_shape: tuple[int, ...] | None
    value_range: tuple[float, float]
    num_classes: int
    form: Form | None


class WrappedGenerator(Generator):
    """Somebody else's generator; made by `Generator.wrap`."""

    def __init__(self, network: nn.Module, z_dim: int, prior: str, draws: Draws) -> None:
        super().__init__()
        self.network = private_copy(network)
        self.z_dim, self.prior = z_dim, checks.one_of("prior", prior, priors.PRIORS)
        self.code_shape, self.value_range = draws.get("code_shape") or (z_dim,), draws.get("value_range", (-1.0, 1.0))
        self.num_classes, self.form = draws.get("num_classes", 0), draws.get("form") or IMAGES
        codes = self.sample(2)
        try:
            image = (self if self.num_classes == 0 else self.given(0)).render(codes)
        except RuntimeError as error:
            raise ValueError(
                f"the generator cannot read codes of the shape (N, {', '.join(map(str, self.code_shape))}): {error}; "
                f"say how it reads a code, such as code_shape=({z_dim}, 1, 1)"
            ) from error
        if not isinstance(self.form, Images):
            self.form.check(image, f"the generator's {self.form.many}")
            self.channels = self.resolution = 0
            return
        if image.ndim != 4:
            raise ValueError(f"the generator must return images (N, C, H, W), got {tuple(image.shape)}")
        self.channels, self.resolution = image.shape[1], image.shape[2]

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) in [-1, 1], or rows or signals in their own units, of codes (N, z_dim)."""
        low, high = self.value_range
        raw = self.raw(z, labels)
        if not isinstance(self.form, Images):
            return self.form.unscaled(raw)
        scaled = raw if (low, high) == (-1.0, 1.0) else (raw - low) * (2 / (high - low)) - 1
        return scaled.clamp(-1, 1)

    def raw(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """What the network itself returns for codes (N, z_dim)."""
        known: tuple[Any, ...] = () if self.num_classes == 0 else (self.labels(len(z), labels),)
        made: Tensor = self.network(z.reshape(len(z), *self.code_shape).clone(), *known)
        return made
