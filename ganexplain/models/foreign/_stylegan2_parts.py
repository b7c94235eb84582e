"""What generator and discriminator of StyleGAN2 share: tensors taken by name, layers with their gains, the mapping."""

from __future__ import annotations

from collections.abc import Mapping as Named
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

EPSILON = 1e-8
TAPS = 4  # side of the FIR filter
ROOT2 = 2**0.5
MORE = 4  # names of tensors in an error

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Assumed:
    """What weights do not say; the options of the layout.

    Attributes:
        slope: of every LeakyReLU.
        clamp: where activations of convolutions are cut, 0 for nowhere.
        mapping_lr: factor that the mapping's layers have on weights and biases.
        group: images that the minibatch deviation is taken over.
        noise: "const" (stored with the weights) or "none".
    """

    slope: float
    clamp: float
    mapping_lr: float
    group: int
    noise: str

    def cut(self, gain: float = 1.0) -> nn.Module:
        """The module that cuts activations."""
        return nn.Hardtanh(-self.clamp * gain, self.clamp * gain) if self.clamp else nn.Identity()


@dataclass(frozen=True)
class Supply:
    """Tensors by name, each taken once, as float32; what is left over belongs to another network."""

    left: dict[str, Tensor]
    prefix: str = ""

    @classmethod
    def of(cls, tensors: Named[str, Tensor]) -> Supply:
        """A supply of these tensors."""
        return cls(dict(tensors))

    def at(self, name: str) -> Supply:
        """The tensors below ``name``, of the same supply."""
        return replace(self, prefix=f"{self.prefix}{name}.")

    def has(self, name: str) -> bool:
        """Whether this tensor is there and not yet taken."""
        return self.prefix + name in self.left

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor that is still there.

        Raises:
            ValueError: it is not.
        """
        full = self.prefix + name
        if full not in self.left:
            raise ValueError(f"StyleGAN2 needs a tensor {full!r}, and the file has none; is the checkpoint whole?")
        return tuple(self.left[full].shape)

    def take(self, name: str, expected: Shape) -> Tensor:
        """A copy of the tensor, in float32.

        Args:
            name: below the prefix.
            expected: its shape; None for any length.

        Raises:
            ValueError: it is not there, or has another shape.
        """
        found = self.shape(name)
        fits = len(found) == len(expected) and all(e in (None, f) for e, f in zip(expected, found, strict=True))
        if not fits:
            said = ", ".join("any" if e is None else str(e) for e in expected)
            raise ValueError(f"{self.prefix}{name} must have the shape ({said}), got {found}")
        return self.left.pop(self.prefix + name).detach().to(torch.float32, copy=True)

    def fir(self) -> Tensor:
        """(4, 4) the low-pass filter here, the outer product of [1, 3, 3, 1] with itself where none is stored."""
        if self.has("resample_filter"):
            return self.take("resample_filter", (TAPS, TAPS))
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
        return torch.outer(taps, taps) / taps.sum() ** 2

    def drop(self, name: str) -> None:
        """Take a tensor that nothing reads, if it is there."""
        self.left.pop(self.prefix + name, None)

    def finish(self) -> None:
        """All must have been taken.

        Raises:
            ValueError: some are left.
        """
        if self.left:
            some = [f"{name} {tuple(tensor.shape)}" for name, tensor in list(self.left.items())[:MORE]]
            more = f" and {len(self.left) - MORE} more" if len(self.left) > MORE else ""
            raise ValueError(f"StyleGAN2 has no place for {', '.join(some)}{more}; is it a variant of it?")


def dense(
    supply: Supply, inputs: int, outputs: int | None = None, *, rate: float = 1.0, gain: float = 1.0
) -> nn.Linear:
    """A linear layer as it works: weights over sqrt(inputs), times the learning rate's factor and the gain."""
    weight = supply.take("weight", (outputs, inputs))
    layer = nn.Linear(inputs, len(weight), device="meta")  # meta: no numbers are drawn for weights that are replaced
    layer.weight = nn.Parameter(weight * (gain * rate / inputs**0.5))
    layer.bias = nn.Parameter(supply.take("bias", (len(weight),)) * (gain * rate))
    return layer


def convolution(supply: Supply, inputs: int, side: int, *, stride: int = 1, padding: int, gain: float) -> nn.Conv2d:
    """A convolution as it works: weights over the root of the fan-in, times the gain; a bias where there is one."""
    weight = supply.take("weight", (None, inputs, side, side))
    biased = supply.has("bias")
    layer = nn.Conv2d(inputs, len(weight), side, stride, padding, bias=biased, device="meta")
    layer.weight = nn.Parameter(weight * (gain / (inputs * side * side) ** 0.5))
    layer.bias = nn.Parameter(supply.take("bias", (len(weight),)) * gain) if biased else None
    return layer


def low_pass(fir: Tensor, channels: int, *, stride: int = 1, padding: int) -> nn.Conv2d:
    """The filter on each channel alone, as a frozen convolution."""
    layer = nn.Conv2d(channels, channels, TAPS, stride, padding, groups=channels, bias=False, device="meta")
    layer.weight = nn.Parameter(fir.flip(0, 1).expand(channels, 1, TAPS, TAPS).clone(), requires_grad=False)
    return layer


def normalised(x: Tensor) -> Tensor:
    """Rows (N, d) over the root of their mean square."""
    scaled: Tensor = x * (x.square().mean(1, keepdim=True) + EPSILON).rsqrt()
    return scaled


class Mapping(nn.Module):
    """From z, a class, or both, to w: normalised, then dense layers with LeakyReLU.

    Attributes:
        z_dim: 0 where only the class is read.
        num_classes: 0 where none is read.
        w_dim: length of w.
    """

    def __init__(self, supply: Supply, assumed: Assumed, *, reads_z: bool = True) -> None:
        super().__init__()
        self.num_classes, embedded = 0, 0
        if supply.has("embed.weight"):
            embedded, self.num_classes = supply.shape("embed.weight")
            self.embed = dense(supply.at("embed"), self.num_classes)
        width = supply.shape("fc0.weight")[1]
        self.z_dim = width - embedded
        if (self.z_dim > 0) != reads_z or self.z_dim < 0:
            raise ValueError(f"{supply.prefix}fc0 reads {width} numbers, {embedded} of them of the class")
        self.depth = 0
        while supply.has(f"fc{self.depth}.weight"):
            layer = dense(supply.at(f"fc{self.depth}"), width, rate=assumed.mapping_lr, gain=ROOT2)
            self.add_module(f"fc{self.depth}", layer)
            self.add_module(f"act{self.depth}", nn.LeakyReLU(assumed.slope))
            width, self.depth = layer.out_features, self.depth + 1
        self.w_dim = width

    def forward(self, z: Tensor | None, labels: Tensor | None) -> Tensor:
        """W (N, w_dim) of z (N, z_dim) and labels (N,) int64, as far as they are read."""
        parts = [] if z is None else [normalised(z)]
        if self.num_classes and labels is not None:
            parts.append(normalised(self.embed.weight.T[labels] + self.embed.bias))
        x = torch.cat(parts, 1)
        for i in range(self.depth):
            x = self.get_submodule(f"act{i}")(self.get_submodule(f"fc{i}")(x))
        return x
