"""The most used port of StyleGAN2 (rosinality/stylegan2-pytorch): its names and scales, told in the official ones."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

# what these patterns leave out are filters, which are told apart below
GENERATOR = (
    (r"input\.input", "synthesis.b4.const"),
    (r"conv1\.(.+)", r"synthesis.b4.conv1.\1"),
    (r"to_rgb1\.(.+)", r"synthesis.b4.torgb.\1"),
)
LAYER = (
    (r"conv\.modulation\.(weight|bias)", r"affine.\1"),
    (r"conv\.weight", "weight"),
    (r"conv\.blur\.kernel", "resample_filter"),
    (r"noise\.weight", "noise_strength"),
    (r"activate\.bias", "bias"),
)
DISCRIMINATOR = (
    (r"conv1\.0\.weight", "conv0.weight"),
    (r"conv1\.1\.bias", "conv0.bias"),
    (r"conv2\.0\.kernel", "conv1.resample_filter"),
    (r"conv2\.1\.weight", "conv1.weight"),
    (r"conv2\.2\.bias", "conv1.bias"),
    (r"skip\.0\.kernel", "skip.resample_filter"),
    (r"skip\.1\.weight", "skip.weight"),
)
HEAD = (
    (r"final_conv\.0\.weight", "b4.conv.weight"),
    (r"final_conv\.1\.bias", "b4.conv.bias"),
    (r"final_linear\.0\.(weight|bias)", r"b4.fc.\1"),
    (r"final_linear\.1\.(weight|bias)", r"b4.out.\1"),
)

Names = tuple[tuple[str, str], ...]


def official(tensors: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """The same network in the official names and scales; None where the names are not those of this port.

    Its convolutions carry the root of their fan-in as a factor of the weights, the official ones do not, since
    demodulation takes it away but for its epsilon; its filters of an enlargement carry a factor of 4.
    """
    if "input.input" in tensors and "conv1.conv.modulation.weight" in tensors:
        return _generator(tensors)
    if "final_linear.0.weight" in tensors and "final_conv.0.weight" in tensors and "convs.0.0.weight" in tensors:
        return _discriminator(tensors)
    return None


def _generator(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        new = _generator_name(name)
        if new.endswith("resample_filter"):
            tensor = tensor / tensor.sum()
        elif new.endswith((".noise_const", ".noise_strength")):
            tensor = tensor.reshape(tensor.shape[2:] if "const" in new else ())
        elif new.endswith(".torgb.bias"):
            tensor = tensor.flatten()
        elif new.endswith("const"):
            tensor = tensor.squeeze(0)
        elif new.endswith(".weight") and tensor.ndim == 5:
            tensor = tensor.squeeze(0)
            scale = 1.0 if ".torgb." in new else tensor[0].numel() ** -0.5
            tensor = tensor.float() * scale
        found[new] = tensor
    return found


def _generator_name(name: str) -> str:
    if hit := re.fullmatch(r"style\.(\d+)\.(weight|bias)", name):
        return f"mapping.fc{int(hit[1]) - 1}.{hit[2]}"  # 0 normalises z and has no weights
    if hit := re.fullmatch(r"noises\.noise_(\d+)", name):
        i = int(hit[1])
        return f"synthesis.b{2 ** ((i + 5) // 2)}.conv{(i + 1) % 2}.noise_const"
    if hit := re.fullmatch(r"convs\.(\d+)\.(.+)", name):
        i = int(hit[1])
        return f"synthesis.b{8 * 2 ** (i // 2)}.conv{i % 2}.{_renamed(hit[2], LAYER)}"
    if hit := re.fullmatch(r"to_rgbs\.(\d+)\.upsample\.kernel", name):
        return f"synthesis.b{8 * 2 ** int(hit[1])}.resample_filter"
    if hit := re.fullmatch(r"to_rgbs\.(\d+)\.(.+)", name):
        return f"synthesis.b{8 * 2 ** int(hit[1])}.torgb.{_renamed(hit[2], LAYER)}"
    head, _, rest = _renamed(name, GENERATOR).rpartition("synthesis.b4.")
    layer, _, inner = rest.partition(".")
    return f"{head}synthesis.b4.{layer}.{_renamed(inner, LAYER)}" if inner else _renamed(name, GENERATOR)


def _discriminator(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    indices = [int(hit[1]) for name in tensors if (hit := re.match(r"convs\.(\d+)\.conv1\.", name))]
    size = 4 * 2 ** max(indices, default=0)
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        new = _renamed(name, HEAD)
        if hit := re.fullmatch(r"convs\.0\.(0\.weight|1\.bias)", name):
            new = f"b{size}.fromrgb.{hit[1][2:]}"
        elif hit := re.fullmatch(r"convs\.(\d+)\.(.+)", name):
            new = f"b{size // 2 ** (int(hit[1]) - 1)}.{_renamed(hit[2], DISCRIMINATOR)}"
        found[new] = tensor / tensor.sum() if new.endswith("resample_filter") else tensor
    return found


def _renamed(name: str, names: Names) -> str:
    for pattern, new in names:
        if re.fullmatch(pattern, name):
            return re.sub(pattern, new, name)
    return name
