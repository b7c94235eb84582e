"""What is said about a rebuilt chain: its lines, what was assumed, and the completed spec."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ganexplain.models.checkpoints import Weights
from ganexplain.models.checkpoints.checkpoint import role_of, words
from ganexplain.models.foreign import _calibrate
from ganexplain.models.foreign._fit import Path
from ganexplain.models.foreign._layout import Found
from ganexplain.models.foreign._modules import Step, told
from ganexplain.models.foreign._stack import Stack
from ganexplain.models.spec import CriticSpec, GeneratorSpec, ImageSpec, Spec

SMALL = 12  # side of images that a network of vectors may read, where nobody says
USUAL = 10  # classes of MNIST and CIFAR-10, without a verdict
ODD = 1.0  # cost of one step of a path from which on it is named
NEAR = 1.5  # more cost than the best at which another size of images is still named


def roles(weights: Weights) -> tuple[str, ...]:
    """The roles that these weights may have: the one that a name says, else both, the likelier first."""
    heads = {key.split(".")[0] for key in weights.tensors}
    said = role_of(weights.name) or next((r for h in sorted(heads) if (r := _short(h))), None)
    return (said,) if said else ("discriminator", "generator")


def is_critic(weights: Weights) -> bool:
    """Whether names say critic, as those of Wasserstein GANs do."""
    return any("crit" in word for key in (weights.name, *weights.tensors) for word in words(key.split(".")[0]))


def _short(head: str) -> str | None:
    return "discriminator" if head.lower().startswith("crit") else role_of(head)


def found_discriminator(
    stack: Stack, layout: str, spec: Spec, *, wasserstein: bool, score: float, side: tuple[int, int, int] | None = None
) -> Found:
    """A discriminator that takes images (N, C, H, W).

    Args:
        stack: the chain.
        layout: name of the layout.
        spec: the caller's.
        wasserstein: whether its output is a score and no logit.
        score: how specific the match is.
        side: (C, H, W) of images that the chain reads as vectors; None where it reads maps.
    """
    channels, *size = side or (stack.into, *(stack.size_in or (1, 1)))
    before = (Step("pixels", nn.Flatten(), "", 0),) if side else ()
    after: tuple[Step, ...] = ()
    if stack.size_out is not None:
        after = (Step("logit", nn.Flatten(), "", len(stack.blocks) - 1),)
    column = verdict(stack, spec)
    several = stack.out > 1 and column is None
    if column is not None:
        after += (Step("verdict", Column(column), "", len(stack.blocks) - 1),)
    output = "classes" if several else "score" if wasserstein else "logit"
    own = Spec(
        layout=layout,
        critic=CriticSpec(output=output, polarity=None if several else "real"),
        images=ImageSpec(range=(-1.0, 1.0), size=_size(size), channels=channels),
    )
    unknown = {**assumed(stack), **_unsaid_critic(stack, spec, output)}
    return Found(
        layout,
        "discriminator",
        stack.network(before=before, after=after),
        (
            f"{'images' if side is None else 'pixels'} {channels}x{size[0]}x{size[1]}",
            *stack.lines(),
            *(() if column is None else (f"output {column} of {stack.out} is the verdict",)),
        ),
        spec.over(own),
        unknown,
        score,
    )


def verdict(stack: Stack, spec: Spec) -> int | None:
    """Which of several outputs judges, where the others tell classes; None where one is all or all are classes.

    Raises:
        ValueError: the spec names an output that there is not.
    """
    said = stack.settings["verdict"]
    if said is not None:
        if type(said) is not int or not 0 <= said < stack.out or stack.out == 1:
            raise ValueError(
                f"[architecture] verdict must be the number of an output, 0 to {stack.out - 1}, where there are "
                f"several, got {said!r}"
            )
        return int(said)
    several = stack.out > 2 and stack.out != USUAL and stack.size_out is not None
    return 0 if several and spec.critic.output not in ("classes", "class_probabilities") else None


class Column(nn.Module):
    """One of several outputs.

    Args:
        index: of the output.
    """

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index

    def forward(self, outputs: Tensor) -> Tensor:
        """(N, 1) of outputs (N, K)."""
        return outputs[:, self.index : self.index + 1]


def found_generator(
    stack: Stack, layout: str, spec: Spec, *, score: float, side: tuple[int, int, int] | None = None
) -> Found:
    """A generator that takes codes (N, z_dim) and returns images, (C, H, W) = ``side`` if the chain ends flat."""
    heard = _calibrate.told(stack)
    stack = stack if heard is None else heard.stack
    unit = (stack.settings["tail"] or "tanh") == "sigmoid"
    shape = side or (stack.out, *(stack.size_out or (1, 1)))
    maps = stack.blocks[0].layer.kind != "linear"
    before = (Step("code", nn.Unflatten(1, (stack.into, 1, 1)), "", 0),) if maps else ()
    after = () if side is None else (Step("images", nn.Unflatten(1, side), "", len(stack.blocks) - 1),)
    own = Spec(
        layout=layout,
        images=ImageSpec(channels=shape[0]),
        generator=GeneratorSpec(
            z_dim=stack.into, prior=(heard and heard.prior) or "normal", range=(0.0, 1.0) if unit else (-1.0, 1.0)
        ),
    )
    unknown = _unsaid_generator(stack, heard, spec)
    return Found(
        layout,
        "generator",
        stack.network(before=before, after=after),
        (
            f"codes {stack.into}",
            *stack.lines(),
            f"images {'x'.join(map(str, shape))}",
            *([heard.line] if heard else []),
        ),
        spec.over(own),
        unknown,
        score,
    )


def _unsaid_generator(stack: Stack, heard: _calibrate.Told | None, spec: Spec) -> dict[str, str]:
    unknown = assumed(stack)
    if heard is not None:
        unknown = {key: why for key, why in unknown.items() if key not in heard.keys}
    if spec.generator.prior is None and (heard is None or heard.prior is None):
        unknown["generator.prior"] = "codes from a normal distribution assumed; [generator] prior = ..."
    if stack.settings["tail"] is None:
        unknown["architecture.tail"] = (
            'tanh at the end, and images in [-1, 1], assumed; [architecture] tail = "sigmoid" (images in [0, 1]), '
            'or "none" with [generator] range = ...'
        )
    return unknown


def assumed(stack: Stack) -> dict[str, str]:
    """What the file of any chain cannot say, by key of the spec."""
    said, unknown = stack.settings, dict[str, str]()
    hidden = [act for act in stack.activations if act[0] != "none"]
    if said["activation"] is None and hidden and not any(map(told, stack.facts.values())):
        name, slope = hidden[0]
        if name == "leaky_relu":
            unknown["architecture.slope"] = (
                f"LeakyReLU {slope:g} between layers assumed; [architecture] slope = ... or activation = ..."
            )
        else:
            unknown["architecture.activation"] = f"{name} between layers assumed; [architecture] activation = ..."
    sizes = _other_sizes(stack)
    if said["size"] is None and sizes and stack.path is not None:
        best = stack.path.sizes[0 if stack.role == "discriminator" else -1]
        unknown["architecture.size"] = f"images of {_said(best)} assumed, {sizes} would fit; [architecture] size = ..."
    if stack.path is not None and odd(stack.path) and all(said[name] is None for name in ("size", "stride", "padding")):
        unknown["architecture.stride"] = (
            "no usual strides and paddings fit these kernels, and those that were taken are a guess; "
            "[architecture] stride = [...] and padding = [...], one a convolution"
        )
    texts = [step.text for step in stack.steps()]
    if any("pool" in text for text in texts):
        unknown["architecture.pool"] = f'{said["pool"]} pooling assumed; [architecture] pool = "max" or "avg"'
    if any("nearest" in text for text in texts):
        unknown["architecture.upsample"] = 'nearest enlargement assumed; [architecture] upsample = "bilinear"'
    if any("without weights" in text for text in texts):
        unknown["architecture.norm"] = (
            'InstanceNorm assumed from the room between names; [architecture] norm = "none" takes dropout'
        )
    kinds = {
        text for text in texts if text.startswith(("InstanceNorm", "GroupNorm", "LayerNorm (")) and "out w" not in text
    }
    if kinds and said["norm"] is None:
        unknown["architecture.norm"] = (
            f'{sorted(kinds)[0]} assumed; [architecture] norm = "instance", "layer" or "group" with groups = ...'
        )
    return unknown


def odd(path: Path) -> bool:
    """Whether sizes fit only by a step that is far from custom, or by pooling after a stride."""
    pairs = itertools.pairwise(path.choices)
    return any(choice.cost >= ODD for choice in path.choices) or any(
        after.factor < 0 and before.stride > 1 for before, after in pairs
    )


def _other_sizes(stack: Stack) -> str:
    if stack.path is None:
        return ""
    end = 0 if stack.role == "discriminator" else -1
    near = [way.sizes[end] for way in stack.others if way.cost < stack.path.cost + NEAR]
    return " or ".join(_said(size) for size in dict.fromkeys(near) if size != stack.path.sizes[end])


def _unsaid_critic(stack: Stack, spec: Spec, output: str) -> dict[str, str]:
    unknown = {}
    if spec.critic.output is None:
        words = {
            "logit": "what comes out of the last layer is assumed to be a logit, whether or not a sigmoid followed; "
            '[critic] output = "score" for Wasserstein, hinge or least squares',
            "score": 'a Wasserstein score assumed; [critic] output = "logit" if it was trained with a sigmoid',
            "classes": f"{stack.out} classes before a softmax assumed; [critic] real_class = ... says which is real",
        }
        unknown["critic.output"] = words[output]
    if output != "classes" and stack.out > 1 and stack.settings["verdict"] is None:
        unknown["architecture.verdict"] = (
            f"{stack.out} outputs: a verdict and {stack.out - 1} classes, the verdict first, assumed (ACGAN); "
            f'[architecture] verdict = {stack.out - 1} takes the last, [critic] output = "classes" all'
        )
    if spec.critic.polarity is None and output != "classes":
        unknown["critic.polarity"] = 'a high output is assumed to mean real; [critic] polarity = "fake" turns it'
    if spec.images.range is None:
        unknown["images.range"] = "pixels in [-1, 1] assumed; [images] range = [0, 1] or others, mean and std"
    return unknown


def _size(size: list[int]) -> int | tuple[int, int]:
    return size[0] if size[0] == size[1] else (size[0], size[1])


def _said(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def square(features: int, channels: int | None) -> tuple[int, int, int] | None:
    """(C, H, W) of square images written as ``features`` numbers; grey where both fit, None where none does.

    >>> square(784, None), square(3072, None), square(89, None)
    ((1, 28, 28), (3, 32, 32), None)
    """
    for c in (1, 3) if channels is None else (channels,):
        side = math.isqrt(features // c)
        if features == c * side * side and side >= SMALL:
            return (c, side, side)
    return None


def option_size(spec: Spec, settings: Mapping[str, Any]) -> Any:
    """The size of images that the spec says, in ``[architecture]`` or ``[images]``."""
    return settings["size"] if settings["size"] is not None else spec.images.size
