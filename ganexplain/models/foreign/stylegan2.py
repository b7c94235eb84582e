"""StyleGAN2 and StyleGAN2-ADA, generator and discriminator, in the official names or those of rosinality's port."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, ClassVar

from torch import Tensor

from ganexplain import checks
from ganexplain.models.checkpoints import Weights
from ganexplain.models.foreign._layout import Found, Layout
from ganexplain.models.foreign._stylegan2_discriminator import StyleGAN2Discriminator
from ganexplain.models.foreign._stylegan2_generator import AVERAGED, StyleGAN2Generator
from ganexplain.models.foreign._stylegan2_parts import Assumed, Supply
from ganexplain.models.foreign._stylegan2_rosinality import official
from ganexplain.models.spec import CriticSpec, GeneratorSpec, ImageSpec, Spec

__all__ = ["StyleGAN2"]

NOISES = {"const": "as stored, the same for every image", "none": "left out"}
CLAMP = 256.0
SCORE = 0.99  # nothing else has these names


class StyleGAN2(Layout):
    """StyleGAN2(-ADA) generators (z, w, w+, s) and discriminators, conditional ones too, in all their forms."""

    name = "stylegan2"
    options: ClassVar[Mapping[str, Any]] = {
        "slope": 0.2,
        "clamp": None,  # 0 for none; `CLAMP` under the official names, since the official training cuts there
        "mapping_lr": 0.01,
        "group": 4,
        "noise": "const",
    }

    def read(self, weights: Weights, spec: Spec) -> Found | None:
        """The network of these weights, or None where their names are others.

        Raises:
            ValueError: StyleGAN3, tensors that are missing, left over or of another shape, or a spec that does not fit.
        """
        held = official(weights.tensors)
        port, held = held is not None, held or dict(weights.tensors)
        if any(re.match(r"synthesis\.(input\.(freqs|phases|affine)|L\d+_)", name) for name in held):
            raise ValueError(
                "these are the weights of a StyleGAN3 generator, whose filters are not rebuilt here; wrap the official "
                "code in a factory of a few lines"
            )
        generator = "synthesis.b4.const" in held
        if not generator and not {"b4.conv.weight", "b4.fc.weight", "b4.out.weight"} <= set(held):
            return None
        assumed = self._assumed(spec, clamp=0.0 if port else CLAMP)
        supply, sizes = Supply.of(held), _sizes(held, generator)
        found = _generator(supply, sizes, assumed, spec) if generator else _discriminator(supply, sizes, assumed, spec)
        supply.finish()
        names = "rosinality's port" if port else "the official code"
        lines = (f"StyleGAN2 {found.role}, named as in {names}", *found.lines)
        return replace(found, lines=lines, spec=found.spec.over(Spec(architecture=asdict(assumed))))

    def _assumed(self, spec: Spec, *, clamp: float) -> Assumed:
        """The options as said, else as usual."""
        options = self.settings(spec)
        checks.one_of("[architecture] noise", options["noise"], NOISES)
        cut = clamp if options["clamp"] is None else options["clamp"]
        if isinstance(cut, bool) or not isinstance(cut, (int, float)) or cut < 0:
            raise ValueError(f"[architecture] clamp must be a number of at least 0 (0 for none), got {cut!r}")
        if options["group"] < 1 or not options["mapping_lr"] > 0:
            raise ValueError(
                "[architecture] group must be at least 1 and mapping_lr positive, got "
                f"{options['group']} and {options['mapping_lr']}"
            )
        return Assumed(**{**options, "clamp": float(cut)})


def _sizes(held: Mapping[str, Tensor], generator: bool) -> list[int]:
    """Sides of the blocks in the order of use.

    Raises:
        ValueError: a size is missing.
    """
    pattern = r"synthesis\.b(\d+)\." if generator else r"b(\d+)\."
    found = sorted({int(hit[1]) for name in held if (hit := re.match(pattern, name))})
    if found != [4 * 2**i for i in range(len(found))] or (not generator and len(found) < 2):
        raise ValueError(f"StyleGAN2 doubles its size from 4 on, and this file has blocks of the sizes {found}")
    return found if generator else found[:0:-1]


def _generator(supply: Supply, sizes: list[int], assumed: Assumed, spec: Spec) -> Found:
    network = StyleGAN2Generator(supply, sizes, assumed)
    said = spec.generator
    if said.z_dim not in (None, network.z_dim):
        raise ValueError(
            f"[generator] z_dim says {said.z_dim}, and this network reads codes of {network.z_dim} numbers"
        )
    network.prior = said.prior or network.prior
    network.value_range = said.range or network.value_range
    own = GeneratorSpec(z_dim=network.z_dim, prior=network.prior, range=network.value_range)
    widths = [len(network.get_submodule(f"synthesis.b{size}.conv1").get_parameter("weight")) for size in sizes]
    lines: tuple[str, ...] = (
        f"mapping: z {network.z_dim}{_classes(network.num_classes)} -> {network.mapping.depth} dense layers -> "
        f"w {network.w_dim}",
        f"synthesis ({network.architecture}): {_chain(sizes, widths)}, {network.channels} colours",
        f"w+ of {network.num_ws} layers, s of {network.width('s')} numbers, noise {assumed.noise}",
    )
    unknown = {
        **_shared(assumed, mapping=True),
        "architecture.noise": f"{NOISES[assumed.noise]}; [architecture] noise = 'const' or 'none'",
        "generator.prior": f"{network.prior}; codes are normalised, only their direction matters; [generator] prior",
        "generator.range": f"images in {list(network.value_range)}; [generator] range",
    }
    if not network.w_avg_stored:
        lines += (f"average w, which truncation alone uses: the mean over {AVERAGED} codes, as the file has none",)
    said_too = Spec(layout=StyleGAN2.name, generator=own, images=_images(sizes[-1], network.channels))
    network = network.eval()
    return Found(StyleGAN2.name, "generator", network, lines, spec.over(said_too), unknown, SCORE, network.num_classes)


def _discriminator(supply: Supply, sizes: list[int], assumed: Assumed, spec: Spec) -> Found:
    network = StyleGAN2Discriminator(supply, sizes, assumed)
    deviation = network.b4.deviation.count
    end = f"logit, projected on one of {network.num_classes} classes" if network.num_classes else "logit"
    lines = (
        f"blocks ({network.architecture}): {network.channels} colours, {_chain([*sizes[1:], 4], network.widths)}",
        f"minibatch deviation in {deviation} of the last maps" if deviation else "no minibatch deviation",
        f"dense {network.b4.fc.in_features} -> {network.b4.fc.out_features} -> {end}",
    )
    unknown = _shared(assumed, mapping=network.mapping is not None)
    if deviation:
        unknown["architecture.group"] = (
            f"{assumed.group} images share a minibatch deviation; a critic gives one image at a time, where it is 0; "
            "[architecture] group"
        )
    unknown["images.range"] = "images in [-1, 1]; [images] range"
    own = Spec(
        layout=StyleGAN2.name,
        critic=CriticSpec(output="logit", polarity="real"),
        images=_images(network.resolution, network.channels),
    )
    return Found(
        StyleGAN2.name, "discriminator", network.eval(), lines, spec.over(own), unknown, SCORE, network.num_classes
    )


def _shared(assumed: Assumed, *, mapping: bool) -> dict[str, str]:
    clamp = f"cut at +-{assumed.clamp:g}" if assumed.clamp else "not cut"
    found = {
        "architecture.slope": f"LeakyReLU {assumed.slope:g}; [architecture] slope",
        "architecture.clamp": f"activations are {clamp}; [architecture] clamp, 0 for none",
    }
    if mapping:
        found["architecture.mapping_lr"] = (
            f"the mapping learned at {assumed.mapping_lr:g} of the rate; [architecture] mapping_lr"
        )
    return found


def _images(size: int, channels: int) -> ImageSpec:
    return ImageSpec(range=(-1, 1), size=size, channels=channels)


def _chain(sizes: list[int], widths: list[int]) -> str:
    return ", ".join(f"{width} at {size} px" for size, width in zip(sizes, widths, strict=True))


def _classes(count: int) -> str:
    return f" and one of {count} classes" if count else ""
