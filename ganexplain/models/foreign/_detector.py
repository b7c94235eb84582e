"""What the layouts of detectors share: where a network's names begin, how a head is read, what is assumed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ganexplain import checks
from ganexplain.models.spec import CriticSpec, ImageSpec, Spec

State = Mapping[str, Tensor]
STATISTICS = ("running_mean", "running_var")
ACTIVATIONS: dict[str, type[nn.Module]] = {"none": nn.Identity, "relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}
BARE = {"probability": "logit", "class_probabilities": "classes"}  # no sigmoid or softmax is rebuilt
SHOWN = 4  # names in an error


def natural(name: str) -> list[tuple[int, int | str]]:
    """The key that sorts names as a reader would: layer2 before layer10.

    >>> sorted(["fc.10", "fc.2"], key=natural)
    ['fc.2', 'fc.10']
    """
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", name) if part]


def rooted(tensors: State, anchor: str, kind: str) -> tuple[dict[str, Tensor], dict[str, Tensor]] | None:
    """The tensors below what stands before ``anchor`` in a name, by their names from there, and all others.

    Raises:
        ValueError: the anchor stands behind several prefixes, so that there are several networks.
    """
    roots = [name.removesuffix(anchor) for name in tensors if name.endswith(anchor)]
    roots = [root for root in roots if not root or root.endswith(".")]
    if not roots:
        return None
    if len(roots) > 1:
        raise ValueError(f"expected one {kind}, got {len(roots)}: {listed(map(repr, roots))}; save one of them alone")
    root = roots[0]
    inside = {name.removeprefix(root): value for name, value in tensors.items() if name.startswith(root)}
    return inside, {name: value for name, value in tensors.items() if not name.startswith(root)}


def listed(names: Any) -> str:
    """The first few names, for an error."""
    names = list(names)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def convolution(state: State, name: str, stride: int = 1, padding: int | None = None, dilation: int = 1) -> nn.Conv2d:
    """An empty convolution of the shape of ``name`` in ``state``; "same" padding unless said.

    Raises:
        ValueError: there is no such kernel, or it is no kernel of a 2-D convolution.
    """
    weight = state.get(f"{name}.weight")
    if weight is None or weight.ndim != 4:
        came = "nothing" if weight is None else tuple(weight.shape)
        raise ValueError(f"{name}.weight must be the kernel (out, in, h, w) of a convolution, got {came}")
    out, given, *kernel = weight.shape
    padding = dilation * (kernel[0] - 1) // 2 if padding is None else padding
    bias = f"{name}.bias" in state
    return nn.Conv2d(
        given, out, (kernel[0], kernel[1]), stride=stride, padding=padding, dilation=dilation, bias=bias, device="meta"
    )


def grouped(layer: nn.Conv2d, given: int, name: str) -> nn.Conv2d:
    """The same convolution with as many groups as ``given`` channels of input make of its kernel.

    Raises:
        ValueError: the channels do not fit.
    """
    groups, rest = divmod(given, layer.in_channels)
    if rest or groups == 0 or layer.out_channels % groups:
        raise ValueError(f"{name} reads {layer.in_channels} channels a group, but {given} come to it")
    if groups > 1:
        layer.in_channels, layer.groups = given, groups
    return layer


def batch_norm(state: State, name: str, eps: float = 1e-5) -> nn.BatchNorm2d:
    """An empty BatchNorm of the width of ``name`` in ``state``.

    Raises:
        ValueError: it has no running statistics: another norm, or a BatchNorm that judges by its neighbours.
    """
    mean = state.get(f"{name}.running_mean")
    if mean is None:
        raise ValueError(
            f"{name} must be a BatchNorm with running_mean and running_var, got none; networks with another "
            "norm, or with statistics of the batch, are not of this layout"
        )
    return nn.BatchNorm2d(len(mean), eps=eps, affine=f"{name}.weight" in state, device="meta")


def loaded(network: nn.Module, state: State) -> nn.Module:
    """``network`` with the weights of ``state``, in float32 and eval mode; every tensor of both must be used.

    Raises:
        ValueError: a name or a shape does not fit.
    """
    network = network.to_empty(device="cpu")
    wanted = network.state_dict()
    counters = {name: torch.tensor(0) for name in wanted if name.endswith("num_batches_tracked")}  # Keras has none
    given = {**counters, **{name: v.float() if v.is_floating_point() else v for name, v in state.items()}}
    unknown = [n for n in given if n not in wanted]
    if unknown:
        raise ValueError(f"this network has parts that the layout does not know: {listed(unknown)}")
    missing = [name for name in wanted if name not in given]
    if missing:
        raise ValueError(f"this network lacks {listed(missing)}")
    for name, value in given.items():
        if value.shape != wanted[name].shape:
            raise ValueError(f"{name} must have the shape {tuple(wanted[name].shape)}, got {tuple(value.shape)}")
    network.load_state_dict(given)
    return network.eval()


@dataclass(frozen=True)
class Head:
    """The last layers of a detector, read from names and shapes.

    Attributes:
        layers: from features (N, F) to numbers (N, K), still empty.
        state: their weights, by their place in ``layers``.
        outputs: K.
        line: the layers in words.
        assumed: the activation that stands between them, which the file cannot say; "" where nothing stands there.
    """

    layers: nn.Sequential
    state: dict[str, Tensor]
    outputs: int
    line: str
    assumed: str


def read_head(rest: State, features: int, settings: Mapping[str, Any]) -> Head:
    """The head among ``rest``, the tensors that are left when the body of a detector is taken away.

    Linear layers and BatchNorms are chained by their widths. Between two linear layers stands ``settings[
    "head_activation"]``, or, where that is None, ReLU if their names leave room for it (fc.0 and fc.2, or fc1 and fc2).

    Args:
        rest: tensors by name.
        features: numbers that the body hands over.
        settings: ``head``, the first part of the names of the layers to take (None takes all), and ``head_activation``.

    Raises:
        ValueError: there is no head, or what is there does not chain.
    """
    wanted = settings.get("head")
    parts = sorted({name.rpartition(".")[0] for name in rest}, key=natural)
    parts = [part for part in parts if wanted is None or part == wanted or part.startswith(f"{wanted}.")]
    if not parts:
        raise ValueError(
            "it has no head, only a body that makes features; save the whole detector"
            + (f" (no layer is called {wanted!r})" if wanted else "")
        )
    layers: list[nn.Module] = []
    state: dict[str, Tensor] = {}
    words, assumed, width, last = [], "", features, ""
    while parts:
        part = next((p for p in parts if _reads(rest, p) == width), None)
        if part is None:
            came = listed(f"{p} (reads {_reads(rest, p)})" for p in parts)
            raise ValueError(
                f"the head must go on from {width} numbers, got {came}; "
                "if there are several heads, choose one: [architecture] head = its name"
            )
        parts.remove(part)
        linear = f"{part}.running_mean" not in rest
        if linear and last:
            name = str(settings.get("head_activation") or ("relu" if _room(last, part) else "none"))
            layers.append(ACTIVATIONS[checks.one_of("[architecture] head_activation", name, ACTIVATIONS)]())
            assumed = name
            words.append(name)
        layer = _layer(rest, part)
        state |= {
            f"{len(layers)}.{key}": value for key, value in _own(rest, part).items() if key != "num_batches_tracked"
        }
        layers.append(layer)
        if linear:
            words.append(f"{part} {width} -> {len(rest[f'{part}.weight'])}")
            width, last = len(rest[f"{part}.weight"]), part
        else:
            words.append(f"{part} BatchNorm")
    return Head(nn.Sequential(*layers), state, width, f"head: {', '.join(words)}", assumed)


def _own(rest: State, part: str) -> dict[str, Tensor]:
    own = {name.rpartition(".")[2]: value for name, value in rest.items() if name.rpartition(".")[0] == part}
    weight = own.get("weight")
    if weight is not None and weight.ndim == 4 and tuple(weight.shape[2:]) == (1, 1):
        own["weight"] = weight.flatten(1)  # a 1x1 convolution on pooled features is a linear layer
    return own


def _reads(rest: State, part: str) -> int | None:
    own = _own(rest, part)
    if "running_mean" in own:
        return len(own["running_mean"])
    weight = own.get("weight")
    return weight.shape[1] if weight is not None and weight.ndim == 2 else None


def _layer(rest: State, part: str) -> nn.Module:
    own = _own(rest, part)
    if "running_mean" in own:
        return nn.BatchNorm1d(len(own["running_mean"]), affine="weight" in own, device="meta")
    out, given = own["weight"].shape
    return nn.Linear(given, out, bias="bias" in own, device="meta")


def _room(first: str, second: str) -> bool:
    """Whether an activation may stand between two layers, told from their names."""
    before, after = re.findall(r"\d+", first), re.findall(r"\d+", second)
    if re.sub(r"\d+", "", first) != re.sub(r"\d+", "", second) or not before or not after:
        return False
    numbered = first.rpartition(".")[2].isdigit()  # places in a Sequential; fc1 and fc2 are names
    return not numbered or int(after[-1]) - int(before[-1]) > 1


@dataclass(frozen=True)
class Habits:
    """What detectors of one kind usually read and say, where neither the file nor the caller says it.

    Attributes:
        polarity: of one number an image.
        real_class: of two columns.
        why: where polarity and class come from, in words.
        images: range, size, resize, mean and std.
        source: where those come from, in words.
    """

    polarity: str
    real_class: int
    why: str
    images: ImageSpec
    source: str


def completed(spec: Spec, layout: str, outputs: int, channels: int, habits: Habits) -> tuple[Spec, dict[str, str]]:
    """The caller's spec with these habits where it says nothing, and what was assumed so."""
    unknown: dict[str, str] = {}
    critic = spec.critic
    critic = replace(critic, output=BARE.get(critic.output or "", critic.output))
    if outputs == 1:
        mine = CriticSpec(output="logit", polarity=habits.polarity)
        if critic.polarity is None:
            unknown["critic.polarity"] = (
                f'a high output means {habits.polarity} ({habits.why}); [critic] polarity = "real" or "fake"'
            )
    else:
        real = habits.real_class if outputs == 2 else 0
        mine = CriticSpec(output="classes", real_class=real)
        if critic.real_class is None:
            why = habits.why if outputs == 2 else f"one of {outputs} classes, against all others"
            unknown["critic.real_class"] = f"class {real} means real ({why}); [critic] real_class = 0 to {outputs - 1}"
    images = spec.images
    usual = habits.images
    told = [name for name in ("range", "mean", "std") if getattr(images, name) is not None]
    if told or channels != len(usual.mean or (0,) * channels):  # those three belong together: do not mix two habits
        usual = replace(usual, mean=None, std=None)
    if not told:
        scale = f"range {list(usual.range or (-1, 1))}" + (f", mean {_short(usual.mean)}" if usual.mean else "")
        unknown["images.range"] = f"{scale} ({habits.source}); [images] range, mean, std"
    if images.size is None and usual.size is not None:
        unknown["images.size"] = f"{usual.size} px assumed; [images] size = ..."
    theirs = Spec(layout=layout, critic=mine, images=replace(usual, channels=channels))
    return replace(spec, critic=critic).over(theirs), unknown


def _short(numbers: tuple[float, ...] | None) -> str:
    numbers = numbers or ()
    return f"{numbers[0]:g}" if len(set(numbers)) == 1 else f"[{', '.join(f'{n:g}' for n in numbers)}]"
