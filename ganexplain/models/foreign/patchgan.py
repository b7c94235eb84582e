"""PatchGAN: a discriminator that gives one verdict for each patch of an image (Isola et al. 2017)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from ganexplain import checks
from ganexplain.data.images import read_image
from ganexplain.models.checkpoints import Weights
from ganexplain.models.foreign._blocks import blocks_of
from ganexplain.models.foreign._fit import Choice
from ganexplain.models.foreign._layout import Found, Layout
from ganexplain.models.foreign._modules import Names, Step, layer, norm, sequential
from ganexplain.models.foreign._parts import Part, parts_of
from ganexplain.models.foreign._patches import GIVEN, TOLD, Beside, Scales, Style, field, named, style_of
from ganexplain.models.spec import CriticSpec, ImageSpec, Spec

__all__ = ["PatchGAN"]

NORMS = ("none", "instance", "batch")
BORDERS = ("zeros", "reflect")
PLACES = ("first", "last")
NORM_CLASSES = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm)
SCALED = re.compile(r"^(scale|layer|discriminator_|model|netD|discs?\.|nets\.)(\d+)[_.]?(.*)$")


class PatchGAN(Layout):
    """A critic that gives one verdict a patch (pix2pix, CycleGAN, pix2pixHD, CCGAN)."""

    name: ClassVar[str] = "patchgan"
    options: ClassVar[Mapping[str, Any]] = {
        "slope": 0.2,
        "eps": 1e-5,  # of norms
        "norm": None,  # of NORMS, where a norm without weights may have stood
        "stride": None,  # one a convolution
        "padding": None,
        "border": None,  # of BORDERS
        "corner": None,  # whether a row and a column of zeros are added before the last convolution
        "scale": None,  # one of several; all are averaged otherwise
        "condition": None,  # an image file: the other half of the pairs that a conditional critic reads
        "condition_place": None,  # of PLACES
    }

    def read(self, weights: Weights, spec: Spec) -> Found | None:
        """The critic, for images of any size; see `Layout.read`."""
        read = [parts_of(tensors) for tensors in _scales(weights.tensors)]
        whole = [parts for parts in read if parts is not None]
        chains = [_weighted(parts) for parts in whole]
        told = named(weights)
        style = style_of(chains[0], len(chains) > 1, told=told) if chains and len(chains) == len(read) else None
        if style is None:
            return None
        options = self._checked(spec, len(chains))
        if options["norm"] == "batch":
            if len(chains[0]) == len(whole[0]):
                raise ValueError(
                    '[architecture] norm = "batch" needs statistics without weights, and the file has none'
                )
            chains = [list(parts) for parts in whole]
        if options["scale"] is not None:
            chains = [chains[options["scale"]]]
        built = [_built(chain, style, options) for chain in chains]
        network: nn.Module = built[0] if len(built) == 1 else Scales(built)
        return _found(network, chains[0], style, options, spec)

    def _checked(self, spec: Spec, count: int) -> dict[str, Any]:
        options = self.settings(spec)
        for name, known in (("norm", NORMS), ("border", BORDERS), ("condition_place", PLACES)):
            if options[name] is not None:
                checks.one_of(f"[architecture] {name}", str(options[name]), known)
        if options["corner"] is not None and not isinstance(options["corner"], bool):
            raise ValueError(f"[architecture] corner must be true or false, got {options['corner']!r}")
        scale = options["scale"]
        if scale is not None and (type(scale) is not int or not 0 <= scale < count):
            raise ValueError(f"[architecture] scale must be 0 (the full image) to {count - 1}, got {scale!r}")
        return options


def _scales(tensors: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    """The chains in a file, that for the full image first; one where names show no more."""
    groups: dict[int, dict[str, Tensor]] = {}
    words = set()
    for name, tensor in tensors.items():
        found = SCALED.match(name)
        if found is None:
            return [dict(tensors)]
        words.add(found[1])
        groups.setdefault(int(found[2]), {})[found[3]] = tensor
    shapes = {tuple(tuple(t.shape) for t in group.values()) for group in groups.values()}
    if len(groups) < 2 or len(shapes) > 1 or len(words) > 1:
        return [dict(tensors)]
    falling = bool(words & {"scale", "layer"})  # pix2pixHD gives the full image to the last
    return [groups[i] for i in sorted(groups, reverse=falling)]


def _weighted(parts: Sequence[Part]) -> list[Part]:
    """Without statistics that have no weights: those of PyTorch 0.3's InstanceNorm, which kept and never used them."""
    return [part for part in parts if part.kind != "norm" or part.weight is not None]


def _built(parts: Sequence[Part], style: Style, options: Mapping[str, Any]) -> nn.Sequential:
    """The network of one chain."""
    blocks = blocks_of(parts)
    kernel, last = blocks[0].layer.kernel[0], len(blocks) - 1
    usual = [1] * (last + 1) if kernel == 1 else [2] * (last - 1) + [2 if style.halving else 1, 1]
    strides = _each(options["stride"], "stride", usual)
    paddings = _each(options["padding"], "padding", [style.padding] * (last + 1))
    hidden = style.hidden if options["norm"] is None else options["norm"] == "instance"
    corner = style.corner if options["corner"] is None else options["corner"]
    reflect = style.reflect if options["border"] is None else options["border"] == "reflect"
    names, steps = Names([part.name for part in parts]), list[Step]()
    for i, block in enumerate(blocks):
        conv, text = layer(block.layer, Choice(strides[i], paddings[i]))
        if reflect and isinstance(conv, nn.Conv2d):
            conv.padding_mode = "reflect"
        if i == last and corner:
            steps.append(Step(names.after(steps[-1].name, "corner"), nn.ZeroPad2d((1, 0, 1, 0)), "", i))
        steps.append(Step(block.layer.name, conv, text, i))
        after: list[tuple[str, nn.Module]] = [
            (p.name, norm(p, flat=False, kind=None, groups=1, eps=options["eps"])[0]) for p in block.parts[1:]
        ]
        if hidden and 0 < i < last:
            after.append(("", nn.InstanceNorm2d(block.layer.out, eps=options["eps"])))
        if i < last:
            after.insert(
                len(after) if block.active is None else block.active + bool(hidden and i),
                ("", nn.LeakyReLU(options["slope"])),
            )
        for name, module in after:
            steps.append(Step(name or names.after(steps[-1].name, "after"), module, "", i))
    return sequential(steps)


def _each(said: Any, name: str, usual: list[int]) -> list[int]:
    """One number a convolution."""
    found = [said] * len(usual) if type(said) is int else usual if said is None else said
    least = 1 if name == "stride" else 0
    right = isinstance(found, list) and all(type(n) is int and n >= least for n in found)
    if not right or len(found) != len(usual):
        raise ValueError(
            f"[architecture] {name} must be a list of {len(usual)} whole numbers, one a convolution, got {said!r}"
        )
    return list(found)


def _found(network: nn.Module, parts: Sequence[Part], style: Style, options: Mapping[str, Any], spec: Spec) -> Found:
    """The network beside its condition, where there is one, and what is to be said of it."""
    unknown, channels = _unknown(parts, style, options, spec), parts[0].into
    left: int | None = channels
    if channels not in GIVEN:
        first = style.condition_first if options["condition_place"] is None else options["condition_place"] == "first"
        condition = None if options["condition"] is None else _condition(str(options["condition"]), channels)
        left = None if condition is None else channels - condition.shape[1]
        network = Beside(network, condition, first, channels)
    elif options["condition"] is not None:
        raise ValueError(
            f"[architecture] condition is for critics of pairs of images, and this one reads {channels} channels"
        )
    known = Spec(
        layout="patchgan",
        critic=CriticSpec(output="score", polarity="real", pool="mean"),
        images=ImageSpec(range=(-1.0, 1.0), channels=left),
    )
    network = network.eval()
    return Found("patchgan", "discriminator", network, _lines(network, parts), spec.over(known), unknown, style.score)


def _condition(path: str, channels: int) -> Tensor:
    """(1, D, h, w) in [-1, 1], so that one image is left of ``channels``."""
    found = read_image(path, channels=channels - 3 if channels - 3 in GIVEN else None)
    if channels - found.shape[1] not in GIVEN:
        raise ValueError(
            f"[architecture] condition {path} has {found.shape[1]} of the {channels} channels that are read, which "
            f"leaves {channels - found.shape[1]} for the image; expected 1 or 3"
        )
    return found


def _lines(network: nn.Module, parts: Sequence[Part]) -> tuple[str, ...]:
    body = next((m for m in network.modules() if isinstance(m, nn.Sequential)), network)
    convs = [m for m in body.modules() if isinstance(m, nn.Conv2d)]
    strides = [conv.stride[0] for conv in convs]
    side, step = field([conv.kernel_size[0] for conv in convs], strides), math.prod(strides)
    widths = "-".join(str(n) for n in [parts[0].into, *(conv.out_channels for conv in convs)])
    every = "pixel" if step == 1 else f"{step} pixels"
    kernel = convs[0].kernel_size[0]
    lines = [
        f"{len(convs)} convolutions {kernel}x{kernel}, channels {widths}, strides {' '.join(map(str, strides))}",
        _norms(body),
        f"sees patches of {side} x {side} pixels, one verdict every {every}; reads images of any size",
    ]
    scales = next((len(m.networks) for m in network.modules() if isinstance(m, Scales)), 1)
    if scales > 1:
        lines.append(f"at {scales} scales, each half the one before; the score is the mean over scales")
    return tuple(lines)


def _norms(body: nn.Module) -> str:
    kinds = [type(m).__name__.removesuffix("2d") for m in body.modules() if isinstance(m, NORM_CLASSES)]
    slope = next((m.negative_slope for m in body.modules() if isinstance(m, nn.LeakyReLU)), 0.0)
    said = f"{kinds[0]} after {len(kinds)} of them" if kinds else "no norm"
    borders = {str(m.padding_mode) for m in body.modules() if isinstance(m, nn.Conv2d)} - {"zeros"}
    return f"{said}, LeakyReLU {slope:g}" + (", reflected borders" if borders else "")


def _unknown(parts: Sequence[Part], style: Style, options: Mapping[str, Any], spec: Spec) -> dict[str, str]:
    """What was assumed, by the key of the spec that says otherwise."""
    turned, kernel = style.condition_first, parts[0].kernel
    found = {
        "critic.output": "a score for each patch, 1 for real, is assumed (least squares); "
        '[critic] output = "logit" if a sigmoid or a logistic loss followed',
        "critic.pool": 'the mean over patches is assumed; [critic] pool = "min" goes by the patch that looks most fake',
        "critic.polarity": 'a high output is assumed to mean real; [critic] polarity = "fake" turns it',
        "images.range": "pixels in [-1, 1] assumed; [images] range = [0, 1] or others, mean and std",
        "images.size": "images are judged at the size that they have, and a score depends on it (pix2pix and CycleGAN "
        "were trained at 256); [images] size = 256",
        "architecture.slope": f"LeakyReLU {options['slope']:g} assumed; [architecture] slope = ...",
    }
    if spec.layout is None and style.score <= TOLD and kernel != (1, 1):
        found["layout"] = (
            "a DCGAN's discriminator for images of one size may have the same weights; "
            'layout = "dcgan" (--layout dcgan) reads them so'
        )
    if kernel != (1, 1):
        last = "last convolution" if style.halving else "last two convolutions"
        found["architecture.stride"] = f"2 but for the {last} assumed; [architecture] stride = [2, 2, ...]"
        border, other = BORDERS[style.reflect], BORDERS[not style.reflect]
        found["architecture.border"] = f'borders of {border} assumed; [architecture] border = "{other}"'
    if all(part.mixes for part in parts):
        seen = {True: "names leave room for it", False: "names leave no room for one", None: "names do not say"}
        what, other = ("InstanceNorm without weights", "none") if style.hidden else ("no norm", "instance")
        found["architecture.norm"] = f'{what} assumed ({seen[style.hidden]}); [architecture] norm = "{other}"'
    if parts[0].into not in GIVEN:
        if options["condition"] is None:
            found["architecture.condition"] = (
                f"{parts[0].into} channels are read: a pair of images, as in pix2pix; name the file of the image that "
                'is given, and the critic judges the other: [architecture] condition = "input.png"'
            )
        place, other = PLACES[not turned], PLACES[turned]
        found["architecture.condition_place"] = (
            f'the image that is given comes {place}; [architecture] condition_place = "{other}"'
        )
    said = {f"{section}.{key}" for section, keys in spec.to_dict().items() if isinstance(keys, dict) for key in keys}
    return {key: text for key, text in found.items() if key not in said}
