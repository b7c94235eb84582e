"""Residual networks as detectors (He et al. 2016), with torchvision's names: ResNet, ResNeXt and wide ResNet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional

from ganexplain import checks
from ganexplain.models.checkpoints import Weights
from ganexplain.models.foreign import _detector as parts
from ganexplain.models.foreign._layout import Found, Layout
from ganexplain.models.spec import ImageSpec, Spec

__all__ = ["ResNet"]

DEPTHS: dict[tuple[str, tuple[int, ...]], str] = {
    ("basic", (2, 2, 2, 2)): "ResNet-18",
    ("basic", (3, 4, 6, 3)): "ResNet-34",
    ("bottleneck", (3, 4, 6, 3)): "ResNet-50",
    ("bottleneck", (3, 4, 23, 3)): "ResNet-101",
    ("bottleneck", (3, 8, 36, 3)): "ResNet-152",
}
NUMBERED = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}  # list(children())
BODY = re.compile(r"(conv1|bn1|layer\d+)\.")
IMAGENET = ImageSpec(range=(0, 1), size=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
INPUTS = ("image", "npr")


class ResNet(Layout):
    """ResNet-18 to -152, ResNeXt and wide ResNet as torchvision names them, also in CIFAR's form."""

    name: ClassVar[str] = "resnet"
    unmistakable: ClassVar[bool] = True
    options: ClassVar[Mapping[str, Any]] = {
        "stem_stride": None,  # of conv1: 2 where its kernel is 7, 1 where it is 3
        "max_pool": None,  # after conv1: its stride, 0 for none; 2 where the kernel is 7, else 0
        "strides": None,  # of the stages: [1, 2, 2, 2]
        "stride_at": 2,  # which convolution of a bottleneck has the stride: 2 (torchvision), 1 (He et al.'s Caffe)
        "eps": 1e-5,
        "input": "auto",  # "image", or "npr": what upsampling leaves behind (Tan et al. 2024)
        "resize": True,  # False: images are read at their own size
        "head": None,
        "head_activation": None,
    }

    def read(self, weights: Weights, spec: Spec) -> Found | None:
        """The detector, or None where there is no ``layer1.0.conv1``."""
        split = _split(weights.tensors)
        if split is None:
            return None
        body, rest = split
        _refuse(body)
        settings = self.settings(spec)
        plan = _plan(body, rest, settings)
        network = Network(body, plan, settings)
        kept, flat = _features(rest, network.channels)
        head = parts.read_head(kept, network.channels * flat**2, settings)
        network.pool, network.head = nn.AdaptiveAvgPool2d(flat), head.layers
        parts.loaded(network, {**body, **{f"head.{name}": value for name, value in head.state.items()}})
        images = IMAGENET if plan.kernel != 3 or plan.npr else replace(IMAGENET, size=32 * flat)
        if not settings["resize"]:
            images = replace(images, size=None)
        habits = parts.Habits("fake", 1, ONE if head.outputs == 1 else TWO, images, "ImageNet's")
        found, unknown = parts.completed(spec, self.name, head.outputs, network.conv1.in_channels, habits)
        if "images.size" in unknown:
            unknown["images.size"] += (
                "; any size works, and where the detector's own tests do not resize (CNNDetection): "
                "[architecture] resize = false"
            )
        if head.assumed:
            unknown["architecture.head_activation"] = (
                f"{head.assumed} between the linear layers; [architecture] head_activation"
            )
        unknown["architecture.strides"] = (
            f"conv1 stride {plan.stride}, max pooling {plan.pool or 'none'}, stages {list(plan.strides)}, as is usual; "
            "[architecture] stem_stride, max_pool, strides (detectors without down-sampling in the stem: 1)"
        )
        return Found(self.name, "discriminator", network, (plan.line, head.line), found, unknown, score=0.95)


ONE = "as in CNNDetection, whose sigmoid is the probability of a synthetic image"
TWO = "folders sorted by name, 'fake' before 'real'; FaceForensics++ has 0 for real, 1 for fake"


@dataclass(frozen=True)
class Plan:
    """What differs between two networks of this kind.

    Attributes:
        line: the body in words.
        kernel: side of conv1's kernel.
        stride: of conv1.
        pool: stride of the max pooling after conv1, 0 for none.
        strides: of the stages.
        npr: whether the network reads what upsampling leaves behind.
    """

    line: str
    kernel: int
    stride: int
    pool: int
    strides: tuple[int, ...]
    npr: bool


class Block(nn.Module):
    """Two or three convolutions with BatchNorm beside a shortcut; ReLU after the sum."""

    def __init__(self, body: parts.State, name: str, given: int, settings: Mapping[str, Any], stride: int) -> None:
        super().__init__()
        self.depth = 3 if f"{name}.conv3.weight" in body else 2
        at = int(settings["stride_at"]) if self.depth == 3 else 1
        width = given
        for i in range(1, self.depth + 1):
            layer = parts.convolution(body, f"{name}.conv{i}", stride if i == at else 1)
            self.add_module(f"conv{i}", parts.grouped(layer, width, f"{name}.conv{i}"))
            self.add_module(f"bn{i}", parts.batch_norm(body, f"{name}.bn{i}", settings["eps"]))
            self.add_module(f"relu{i}", nn.ReLU())
            width = layer.out_channels
        self.channels = width
        self.downsample = None
        if f"{name}.downsample.0.weight" in body:
            projection = parts.convolution(body, f"{name}.downsample.0", stride, padding=0)
            norm = parts.batch_norm(body, f"{name}.downsample.1", settings["eps"])
            self.downsample = nn.Sequential(projection, norm)
        elif width != given or stride != 1:
            raise ValueError(
                f"{name} goes from {given} to {width} channels with stride {stride}, but has no downsample.0; its "
                "shortcut is of a kind that this layout does not know, or [architecture] strides must be said"
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to (N, C', h / stride, w / stride)."""
        y = x
        for i in range(1, self.depth + 1):
            y = self.get_submodule(f"bn{i}")(self.get_submodule(f"conv{i}")(y))
            if i < self.depth:
                y = self.get_submodule(f"relu{i}")(y)
        short = x if self.downsample is None else self.downsample(x)
        out: Tensor = self.get_submodule(f"relu{self.depth}")(y + short)
        return out


class Network(nn.Module):
    """A residual network up to its pooled features; ``pool`` and ``head`` are set by who knows the head."""

    def __init__(self, body: parts.State, plan: Plan, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.npr = plan.npr
        self.conv1 = parts.convolution(body, "conv1", plan.stride)
        self.bn1 = parts.batch_norm(body, "bn1", settings["eps"])
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, plan.pool, 1) if plan.pool else nn.Identity()
        width = self.conv1.out_channels
        for i, stride in enumerate(plan.strides, 1):
            blocks = []
            for j in range(_count(body, f"layer{i}.")):
                blocks.append(Block(body, f"layer{i}.{j}", width, settings, stride if j == 0 else 1))
                width = blocks[-1].channels
            self.add_module(f"layer{i}", nn.Sequential(*blocks))
        self.stages, self.channels = len(plan.strides), width
        self.pool: nn.Module = nn.AdaptiveAvgPool2d(1)
        self.head: nn.Module = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) to logits (N, K)."""
        x = _residue(images) if self.npr else images
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for i in range(1, self.stages + 1):
            x = self.get_submodule(f"layer{i}")(x)
        logits: Tensor = self.head(self.pool(x).flatten(1))
        return logits


def _residue(images: Tensor) -> Tensor:
    """2/3 of the difference to the nearest neighbours of every other pixel (Tan et al. 2024, NPR)."""
    height, width = images.shape[2] // 2 * 2, images.shape[3] // 2 * 2
    whole = images[:, :, :height, :width]
    coarse = whole[:, :, ::2, ::2]
    return (whole - functional.interpolate(coarse, scale_factor=2.0, mode="nearest")) * (2 / 3)


def _split(tensors: parts.State) -> tuple[dict[str, Tensor], dict[str, Tensor]] | None:
    found = parts.rooted(tensors, "layer1.0.conv1.weight", "ResNet")
    if found is None:
        found = parts.rooted(tensors, "4.0.conv1.weight", "ResNet")
        if found is None or "7.0.conv1.weight" not in found[0]:
            return None
        renamed = {}
        for name, value in found[0].items():
            first, _, later = name.partition(".")
            renamed[f"{NUMBERED.get(first, first)}.{later}"] = value
        found = renamed, found[1]
    inside, outside = found
    body = {n.replace(".shortcut.", ".downsample."): value for n, value in inside.items() if BODY.match(n)}
    return body, {**{n: value for n, value in inside.items() if not BODY.match(n)}, **outside}


def _refuse(body: parts.State) -> None:
    """Raise for relatives that share names with a ResNet, but are computed in another way."""
    reasons = {
        "conv1.0.weight": "a stem of several convolutions (ResNet-C and -D)",
        "layer2.0.downsample.1.weight": "average pooling in its shortcuts (ResNet-D)",
        "layer1.0.bn0.weight": "normalisation before the convolutions (pre-activation)",
    }
    for name, reason in reasons.items():
        if name in body and (name != "layer2.0.downsample.1.weight" or body[name].ndim == 4):
            raise ValueError(f"it is a relative of ResNet with {reason}, which this layout does not rebuild")
    if "bn1.weight" not in body and "bn1.running_mean" not in body:
        raise ValueError(
            "it has no BatchNorm bn1 after conv1: a pre-activation ResNet, or one without norms, which this layout "
            "does not rebuild"
        )
    strange = [name for name in body if not KNOWN.fullmatch(name)]
    if strange:
        blur = any(name.endswith(".filt") for name in strange)
        raise ValueError(
            f"it is a relative of ResNet with {'antialiased down-sampling' if blur else 'parts of its own'}, which "
            f"this layout does not rebuild: {parts.listed(strange)}"
        )


VALUES = r"(weight|bias|running_mean|running_var|num_batches_tracked)"
KNOWN = re.compile(rf"(conv1|bn1|layer\d+\.\d+\.((conv|bn)[123]|downsample\.[01]))\.{VALUES}")


def _count(body: parts.State, prefix: str) -> int:
    return len({name.split(".")[1] for name in body if name.startswith(prefix)})


def _plan(body: parts.State, rest: parts.State, settings: Mapping[str, Any]) -> Plan:
    stages = len({name.split(".")[0] for name in body if name.startswith("layer")})
    counts = tuple(_count(body, f"layer{i}.") for i in range(1, stages + 1))
    strides = settings["strides"] or (1, *[2] * (stages - 1))
    if not isinstance(strides, (list, tuple)) or [isinstance(s, int) and s > 0 for s in strides] != [True] * stages:
        raise ValueError(f"[architecture] strides must be a list of {stages} whole numbers, got {strides!r}")
    stem = parts.convolution(body, "conv1")
    kernel = int(stem.kernel_size[0])
    choice = checks.one_of("[architecture] input", settings["input"], ("auto", *INPUTS))
    npr = choice == "npr" or (choice == "auto" and stages == 2 and kernel == 3 and "fc1.weight" in rest)
    if stages < 3 and not npr:
        raise ValueError(f"a ResNet has three or four stages, got {stages}: a cut or a relative of it")
    wide = kernel != 3 or npr
    stride, pool = (settings[name] for name in ("stem_stride", "max_pool"))
    stride, pool = ((2 if wide else 1) if stride is None else stride), ((2 if wide else 0) if pool is None else pool)
    bad = [v for v in (stride, pool) if not isinstance(v, int) or isinstance(v, bool) or v < 0]
    if bad or not stride:
        raise ValueError(
            f"[architecture] stem_stride must be a whole number from 1 and max_pool one from 0, got {stride} and {pool}"
        )
    kind = "bottleneck" if "layer1.0.conv3.weight" in body else "basic"
    second = body.get("layer1.0.conv2.weight")
    groups = len(body["layer1.0.conv1.weight"]) // second.shape[1] if second is not None and second.ndim == 4 else 1
    name = DEPTHS.get((kind, counts), "ResNet")
    if kind == "bottleneck" and groups > 1:
        name = name.replace("ResNet", "ResNeXt")
    line = (
        f"{name}: {kind} blocks {'-'.join(map(str, counts))}"
        f"{f', {groups} groups' if groups > 1 else ''}; conv1 {kernel}x{kernel} {stem.in_channels} -> "
        f"{stem.out_channels}{'; reads the residue of upsampling (NPR)' if npr else ''}"
    )
    return Plan(line, kernel, stride, pool, tuple(strides), npr)


def _features(rest: parts.State, channels: int) -> tuple[parts.State, int]:
    """The head's tensors, and the side of the pooled map that its first layer reads."""
    widths = [value.shape[1] for value in rest.values() if value.ndim == 2]
    if channels in widths:
        return rest, 1
    side = next((s for s in (2, 3, 4, 7) if channels * s * s in widths), 1)  # pooled to s x s, then flattened
    return rest, side
