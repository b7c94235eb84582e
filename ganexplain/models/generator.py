"""Anything that turns latent codes into images in [-1, 1]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganexplain import checks, tensors
from ganexplain.models import priors
from ganexplain.models.priors import PRIORS
from ganexplain.models.private import private_copy


@dataclass(frozen=True)
class FirstLayer:
    """The linear map that a latent code meets first.

    Attributes:
        weight: (outputs, d): what a unit step along each latent axis adds to each output.
        gain: (outputs,) factor gamma / sqrt(var + eps) of a BatchNorm that directly follows, or None.
        name: the layer's module path.
    """

    weight: Tensor
    gain: Tensor | None
    name: str


class Generator(nn.Module):
    """Base of all generators. A family overrides `forward`; one with more spaces `encode` and `first_layer` too.

    Attributes:
        spaces: latent spaces, left to right, such as ("z",) or ("z", "w", "w+", "s").
        z_dim: dimension of z.
        resolution: side of the square images in pixels.
        channels: 1 for grey, 3 for colour.
        num_classes: 0 for an unconditional generator.
        prior: the distribution of z, a name of `ganexplain.models.priors.PRIORS`.
    """

    spaces: tuple[str, ...] = ("z",)
    z_dim: int
    resolution: int
    channels: int
    num_classes: int = 0
    prior: str = "normal"

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
        images: Tensor = self(codes) if labels is None else self(codes, labels)
        return images

    def _check_codes(self, codes: Tensor, space: str) -> None:
        checks.one_of("latent space", space, self.spaces)
        if codes.ndim != 2 or (space == "z" and codes.shape[1] != self.z_dim):
            raise ValueError(f"codes in {space} must have the shape (N, {self.z_dim}), got {tuple(codes.shape)}")
        checks.finite(codes, "codes")

    def render(self, codes: Tensor, space: str = "z", *, batch_size: int = 64) -> Tensor:
        """`synthesize` without gradients, at most ``batch_size`` codes at a time."""
        with torch.no_grad(), tensors.isolated():
            return tensors.batched(lambda c: self.synthesize(c, space), batch_size, codes)

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
    def wrap(
        network: nn.Module,
        *,
        z_dim: int,
        prior: str = "normal",
        code_shape: tuple[int, ...] | None = None,
        value_range: tuple[float, float] = (-1.0, 1.0),
    ) -> Generator:
        """Anybody's generator, on a private, frozen, eval copy.

        Args:
            network: maps codes to images.
            z_dim: length of a code.
            prior: "normal", "uniform" (-1, 1), "sphere" or "truncated", see `ganexplain.models.priors.drawn`.
            code_shape: shape that the network reads a code in, such as (100, 1, 1) for a DCGAN; None is (z_dim,).
            value_range: range of the network's images.
        """
        return WrappedGenerator(network, z_dim, prior, code_shape or (z_dim,), value_range)


class WrappedGenerator(Generator):
    """Somebody else's generator; made by `Generator.wrap`."""

    def __init__(
        self, network: nn.Module, z_dim: int, prior: str, code_shape: tuple[int, ...], value_range: tuple[float, float]
    ) -> None:
        super().__init__()
        self.network = private_copy(network)
        self.z_dim, self.prior = z_dim, checks.one_of("prior", prior, PRIORS)
        self.code_shape, self.value_range = code_shape, value_range
        try:
            image = self.render(self.sample(2))
        except RuntimeError as error:
            raise ValueError(
                f"the generator cannot read codes of the shape (N, {', '.join(map(str, code_shape))}): {error}; say "
                f"how it reads a code, such as code_shape=({z_dim}, 1, 1)"
            ) from error
        if image.ndim != 4:
            raise ValueError(f"the generator must return images (N, C, H, W), got {tuple(image.shape)}")
        self.channels, self.resolution = image.shape[1], image.shape[2]

    def forward(self, z: Tensor) -> Tensor:
        """Images (N, C, H, W) in [-1, 1] of codes (N, z_dim)."""
        low, high = self.value_range
        raw: Tensor = self.network(z.reshape(len(z), *self.code_shape).clone())
        scaled = raw if (low, high) == (-1.0, 1.0) else (raw - low) * (2 / (high - low)) - 1
        return scaled.clamp(-1, 1)


def first_layer_of(network: Callable[[Tensor], Tensor] | nn.Module, codes: Tensor) -> FirstLayer:
    """Run ``codes`` and see which leaf module works first, and whether a BatchNorm works right after it."""
    if not isinstance(network, nn.Module):
        raise TypeError(f"a torch module is needed to read weights from, got {type(network).__name__}")
    order, started = order_of_use(network, codes)
    name, layer = order[started]
    follower = order[started + 1][1] if started + 1 < len(order) else None
    return FirstLayer(_matrix(layer, name, codes.shape[1]), _gain(follower, layer), name)


def order_of_use(network: nn.Module, codes: Tensor) -> tuple[list[tuple[str, nn.Module]], int]:
    """Module paths and leaf modules in the order in which they work on ``codes``, and the place of the first weights.

    Raises:
        ValueError: none has weights.
    """
    order: list[tuple[str, nn.Module]] = []
    hooks = []
    modes = [(module, module.training) for module in network.modules()]
    for name, module in network.named_modules():
        if not list(module.children()):
            hooks.append(module.register_forward_hook(lambda m, _i, _o, name=name: order.append((name, m))))
    try:
        network.eval()  # in train mode a BatchNorm would take these codes into its statistics
        with torch.no_grad(), tensors.isolated():
            network(codes)
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes:
            module.training = training
    started = next((i for i, (_, m) in enumerate(order) if list(m.parameters(recurse=False))), None)
    if started is None:
        raise ValueError("the generator has no module with weights, so there is no first layer to read")
    return order, started


def _matrix(layer: nn.Module, name: str, z_dim: int) -> Tensor:
    if isinstance(layer, nn.Linear) and layer.in_features == z_dim:
        return layer.weight.detach()
    if isinstance(layer, nn.ConvTranspose2d) and layer.in_channels == z_dim and layer.groups == 1:
        return layer.weight.detach().flatten(1).T  # (d, out, kh, kw): on a 1x1 code every tap is an output of its own
    if isinstance(layer, nn.Conv2d) and layer.in_channels == z_dim and layer.kernel_size == (1, 1):
        return layer.weight.detach().flatten(1)
    raise ValueError(
        f"the first layer {name!r} is a {type(layer).__name__} that does not read a code of {z_dim} numbers directly; "
        "override first_layer(space) of the generator"
    )


def _gain(follower: nn.Module | None, layer: nn.Module) -> Tensor | None:
    if not isinstance(follower, nn.modules.batchnorm._BatchNorm) or follower.running_var is None:
        return None
    gamma = torch.ones_like(follower.running_var) if follower.weight is None else follower.weight.detach()
    gain = gamma / (follower.running_var + follower.eps).sqrt()
    if isinstance(layer, nn.ConvTranspose2d):
        return gain.repeat_interleave(layer.kernel_size[0] * layer.kernel_size[1])
    return gain
