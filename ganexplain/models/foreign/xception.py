"""Xception as a detector (Chollet 2017), with the names of the PyTorch port that FaceForensics++ uses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from torch import Tensor, nn

from ganexplain.models.checkpoints import Weights
from ganexplain.models.foreign import _detector as parts
from ganexplain.models.foreign._layout import Found, Layout
from ganexplain.models.spec import ImageSpec, Spec

__all__ = ["Xception"]

ANCHOR = "block1.rep.0.conv1.weight"
VALUES = r"(weight|bias|running_mean|running_var|num_batches_tracked)"
BODY = re.compile(rf"((conv|bn)[1-4]|conv[34]\.(conv1|pointwise)|block\d+\..*)\.{VALUES}")
UNUSED = "adjust_channel."  # DeepfakeBench stores a layer that its own forward does not run
HABITS = parts.Habits(
    polarity="fake",
    real_class=0,
    why="as in FaceForensics++, 0 = real, 1 = fake; folders sorted by name give 'fake' 0 and 'real' 1",
    images=ImageSpec(range=(0, 1), size=299, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    source="of this network's published weights",
)


class Xception(Layout):
    """Xception with the names of the PyTorch port by Tstandley and Cadene (FaceForensics++, DeepfakeBench, timm)."""

    name: ClassVar[str] = "xception"
    unmistakable: ClassVar[bool] = True
    options: ClassVar[Mapping[str, Any]] = {"eps": 1e-5, "resize": True, "head": None, "head_activation": None}

    def read(self, weights: Weights, spec: Spec) -> Found | None:
        """The detector, or None where there is no ``block1.rep.0.conv1``."""
        split = parts.rooted(weights.tensors, ANCHOR, "Xception")
        if split is None:
            return None
        inside, outside = split
        body = {name: _kernel(name, value) for name, value in inside.items() if BODY.fullmatch(name)}
        rest = {n: value for n, value in inside.items() if n not in body and not n.startswith(UNUSED)} | outside
        settings = self.settings(spec)
        network = Network(body, settings["eps"])
        head = parts.read_head(rest, network.channels, settings)
        network.head = head.layers
        parts.loaded(network, {**body, **{f"head.{name}": value for name, value in head.state.items()}})
        habits = HABITS if settings["resize"] else replace(HABITS, images=replace(HABITS.images, size=None))
        found, unknown = parts.completed(spec, self.name, head.outputs, network.conv1.in_channels, habits)
        if head.assumed:
            unknown["architecture.head_activation"] = (
                f"{head.assumed} between the linear layers; [architecture] head_activation"
            )
        blocks = len(network.blocks)
        line = f"Xception: {blocks} blocks of separable convolutions, {network.channels} features"
        return Found(self.name, "discriminator", network, (line, head.line), found, unknown, score=0.95)


def _kernel(name: str, value: Tensor) -> Tensor:
    """The kernel (out, in, 1, 1) of a pointwise convolution, which old files hold as a matrix (out, in)."""
    return value[:, :, None, None] if value.ndim == 2 and name.endswith("pointwise.weight") else value


class Separable(nn.Module):
    """A convolution of each channel by itself, then one of 1x1 across channels."""

    def __init__(self, body: parts.State, name: str, given: int) -> None:
        super().__init__()
        depthwise = parts.convolution(body, f"{name}.conv1")
        self.conv1 = parts.grouped(depthwise, given, f"{name}.conv1")
        self.pointwise = parts.grouped(parts.convolution(body, f"{name}.pointwise"), given, f"{name}.pointwise")
        self.channels = self.pointwise.out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to (N, C', h, w)."""
        out: Tensor = self.pointwise(self.conv1(x))
        return out


class Block(nn.Module):
    """Separable convolutions beside a shortcut; where that is a convolution, both halve the map."""

    def __init__(self, body: parts.State, name: str, given: int, eps: float) -> None:
        super().__init__()
        found = {int(n.split(".")[2]) for n in body if re.fullmatch(rf"{name}\.rep\.\d+\.pointwise\.weight", n)}
        layers: list[nn.Module] = []
        width = given
        for i in sorted(found):  # the ReLU before a convolution and the pooling have no weights, but have places
            layers += [nn.ReLU() for _ in range(len(layers), i)]
            layers += [Separable(body, f"{name}.rep.{i}", width), parts.batch_norm(body, f"{name}.rep.{i + 1}", eps)]
            width = layers[i].get_submodule("pointwise").get_parameter("weight").shape[0]
        self.skip, self.skipbn = None, None
        if f"{name}.skip.weight" in body:
            self.skip = parts.grouped(parts.convolution(body, f"{name}.skip", 2, padding=0), given, f"{name}.skip")
            self.skipbn = parts.batch_norm(body, f"{name}.skipbn", eps)
            layers.append(nn.MaxPool2d(3, 2, 1))
        elif width != given:
            raise ValueError(f"{name} goes from {given} to {width} channels, but has no {name}.skip")
        self.rep, self.channels = nn.Sequential(*layers), width

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to (N, C', h', w')."""
        short = x if self.skip is None or self.skipbn is None else self.skipbn(self.skip(x))
        out: Tensor = self.rep(x) + short
        return out


class Network(nn.Module):
    """Xception up to its pooled features; ``head`` is set by who knows it."""

    def __init__(self, body: parts.State, eps: float) -> None:
        super().__init__()
        self.conv1 = parts.convolution(body, "conv1", 2, padding=0)
        self.bn1, self.relu1 = parts.batch_norm(body, "bn1", eps), nn.ReLU()
        self.conv2 = parts.convolution(body, "conv2", padding=0)
        self.bn2, self.relu2 = parts.batch_norm(body, "bn2", eps), nn.ReLU()
        width = self.conv2.out_channels
        names = sorted({name.split(".")[0] for name in body if name.startswith("block")}, key=parts.natural)
        if names != [f"block{i}" for i in range(1, len(names) + 1)]:
            raise ValueError(f"the blocks of an Xception are block1 to block{len(names)}, got {parts.listed(names)}")
        self.blocks = names
        for name in names:
            block = Block(body, name, width, eps)
            self.add_module(name, block)
            width = block.channels
        self.conv3 = Separable(body, "conv3", width)
        self.bn3, self.relu3 = parts.batch_norm(body, "bn3", eps), nn.ReLU()
        self.conv4 = Separable(body, "conv4", self.conv3.channels)
        self.bn4, self.relu4 = parts.batch_norm(body, "bn4", eps), nn.ReLU()
        self.pool, self.channels = nn.AdaptiveAvgPool2d(1), self.conv4.channels
        self.head: nn.Module = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) to logits (N, K)."""
        x = self.relu1(self.bn1(self.conv1(images)))
        x = self.relu2(self.bn2(self.conv2(x)))
        for name in self.blocks:
            x = self.get_submodule(name)(x)
        x = self.relu3(self.bn3(self.conv3(x)))
        x = self.relu4(self.bn4(self.conv4(x)))
        logits: Tensor = self.head(self.pool(x).flatten(1))
        return logits
