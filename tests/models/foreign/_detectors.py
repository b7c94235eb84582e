"""Detectors written as functions of their state dicts: the files that the layouts must read, and what they compute."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ganexplain import tensors

State = dict[str, Tensor]


class Maker:
    """Collects random tensors under names."""

    def __init__(self, seed: int = 0) -> None:
        self.state: State = {}
        self.random = tensors.rng(seed, "detectors")

    def _normal(self, *shape: int) -> Tensor:
        return torch.from_numpy(self.random.standard_normal(shape)).float()

    def conv(self, name: str, out: int, given: int, kernel: int = 3, bias: bool = False) -> int:
        self.state[f"{name}.weight"] = self._normal(out, given, kernel, kernel) / (given * kernel**2 / 2) ** 0.5
        if bias:
            self.state[f"{name}.bias"] = 0.1 * self._normal(out)
        return out

    def norm(self, name: str, width: int, counter: bool = True) -> None:
        self.state[f"{name}.weight"] = 1 + 0.2 * self._normal(width)
        self.state[f"{name}.bias"] = 0.2 * self._normal(width)
        self.state[f"{name}.running_mean"] = 0.2 * self._normal(width)
        self.state[f"{name}.running_var"] = self._normal(width).exp()
        if counter:
            self.state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    def linear(self, name: str, out: int, given: int) -> int:
        self.state[f"{name}.weight"] = self._normal(out, given) / given**0.5
        self.state[f"{name}.bias"] = self._normal(out)
        return out


def resnet(
    counts: tuple[int, ...] = (1, 1, 1, 1),
    *,
    width: int = 4,
    deep: bool = False,
    groups: int = 1,
    inner: int = 1,
    kernel: int = 7,
    channels: int = 3,
    short: str = "downsample",
) -> State:
    """The body of a ResNet; ``inner`` is the width of a bottleneck over that of its stage."""
    make = Maker()
    have = make.conv("conv1", width, channels, kernel)
    make.norm("bn1", width)
    for i, count in enumerate(counts):
        stage = width * 2**i
        out, middle = (4 * stage if deep else stage), stage * inner
        for j in range(count):
            name = f"layer{i + 1}.{j}"
            if deep:
                shapes = [(middle, have, 1), (middle, middle // groups, 3), (out, middle, 1)]
            else:
                shapes = [(out, have, 3), (out, out, 3)]
            for k, (a, b, c) in enumerate(shapes, 1):
                make.conv(f"{name}.conv{k}", a, b, c)
                make.norm(f"{name}.bn{k}", a)
            if have != out or (j == 0 and i > 0):
                make.conv(f"{name}.{short}.0", out, have, 1)
                make.norm(f"{name}.{short}.1", out)
            have = out
    return make.state


def conv(x: Tensor, s: State, name: str, stride: int = 1, padding: int | None = None, dilation: int = 1) -> Tensor:
    weight = s[f"{name}.weight"]
    padding = dilation * (weight.shape[2] - 1) // 2 if padding is None else padding
    groups = x.shape[1] // weight.shape[1]
    return F.conv2d(x, weight, s.get(f"{name}.bias"), stride, padding, dilation, groups)


def norm(x: Tensor, s: State, name: str, eps: float = 1e-5) -> Tensor:
    mean, var, scale, shift = (s[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
    return F.batch_norm(x, mean, var, scale, shift, eps=eps)


def features(x: Tensor, s: State, *, stem: int = 2, pool: int = 2, at: int = 2) -> Tensor:
    """The maps of a ResNet's last stage, with torchvision's strides."""
    x = F.relu(norm(conv(x, s, "conv1", stem), s, "bn1"))
    x = F.max_pool2d(x, 3, pool, 1) if pool else x
    blocks = sorted({name.rsplit(".", 2)[0] for name in s if name.endswith(".conv1.weight")})
    for name in blocks:
        depth = 3 if f"{name}.conv3.weight" in s else 2
        stride = 2 if name.endswith(".0") and not name.startswith("layer1") else 1
        y = x
        for k in range(1, depth + 1):
            y = norm(conv(y, s, f"{name}.conv{k}", stride if k == (at if depth == 3 else 1) else 1), s, f"{name}.bn{k}")
            y = F.relu(y) if k < depth else y
        for short in ("downsample", "shortcut"):
            if f"{name}.{short}.0.weight" in s:
                x = norm(conv(x, s, f"{name}.{short}.0", stride, 0), s, f"{name}.{short}.1")
        x = F.relu(x + y)
    return x


def resnet_logits(x: Tensor, s: State, **strides: int) -> Tensor:
    """A ResNet with one linear layer, fc, on the mean of its maps."""
    return F.linear(features(x, s, **strides).mean((2, 3)), s["fc.weight"], s["fc.bias"])


def images(n: int = 2, channels: int = 3, size: int = 40, seed: int = 0) -> Tensor:
    return tensors.normal(seed, "images", shape=(n, channels, size, size))


def headed(state: State, features: int, outputs: int = 1, name: str = "fc") -> State:
    """The state with a linear layer at its end."""
    make = Maker(1)
    make.linear(name, outputs, features)
    return {**state, **make.state}
