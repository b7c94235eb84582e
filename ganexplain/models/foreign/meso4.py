"""Meso4 and MesoInception4, detectors of deepfaked faces (Afchar et al. 2018), from Keras or from PyTorch ports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ganexplain import checks
from ganexplain.models.checkpoints import Weights
from ganexplain.models.foreign import _detector as parts
from ganexplain.models.foreign._layout import Found, Layout
from ganexplain.models.spec import ImageSpec, Spec

__all__ = ["Meso4"]

PLAIN = [(8, 3), (8, 8), (16, 8), (16, 16)]  # (out, in) of Meso4's convolutions


def _branches(given: int, single: int) -> list[tuple[int, int]]:
    return [(single, given), (4, given), (4, 4), (4, given), (4, 4), (2, given), (2, 2)]


MIXED = [*_branches(3, 1), *_branches(11, 2), (16, 12), (16, 16)]  # of MesoInception4's
INCEPTION = re.compile(r"(.*(?:incption|inception)\w*?[12])([._])(.+)", re.IGNORECASE)
DILATED = {4: 2, 6: 3}  # the fifth and the seventh convolution of an inception layer
WORDS = {"relu": "ReLU", "norm": "BatchNorm"}
TOLD = 0.05  # smallest difference of correlations that tells the order of fc1's columns
FLATTENS, ORDERS = ("auto", "hwc", "chw"), ("auto", "relu-norm", "norm-relu", "norm")


class Meso4(Layout):
    """Meso4 and MesoInception4 (MesoNet), converted from Keras or from PyTorch ports."""

    name: ClassVar[str] = "meso4"
    unmistakable: ClassVar[bool] = True
    options: ClassVar[Mapping[str, Any]] = {
        "flatten": "auto",  # "hwc" as Keras does, "chw" as torch does
        "order": "auto",  # "relu-norm", "norm-relu" or "norm", which has no ReLU
        "inception_relu": None,  # whether ReLU follows each convolution of an inception layer
        "eps": None,  # of BatchNorm: 1e-3 in Keras, 1e-5 in torch
        "slope": 0.1,  # of the LeakyReLU between the linear layers
        "last_pool": 4,  # the last max pooling
        "pool_padding": 0,  # of every max pooling
    }

    def read(self, weights: Weights, spec: Spec) -> Found | None:
        """The detector, or None where the convolutions are not those of Meso4 or MesoInception4."""
        sorted_ = {name: weights.tensors[name] for name in sorted(weights.tensors, key=parts.natural)}
        names = _Names(sorted_)
        if not names.fit:
            return None
        settings = self.settings(spec)
        chosen, why = _chosen(names, sorted_, settings)
        network = Network(names, sorted_, chosen)
        parts.loaded(network, names.state(sorted_))
        size = 8 * network.side * chosen["last_pool"]
        pooled = _pooled(size, chosen)
        if pooled != network.side:
            raise ValueError(
                f"the first linear layer reads maps of {network.side} x {network.side}, and images of {size} pixels "
                f"give {pooled} x {pooled} with [architecture] pool_padding = {chosen['pool_padding']}; say 0"
            )
        images = ImageSpec(range=(0, 1), size=size, resize="bicubic" if names.keras else None)
        if not names.keras:
            images = replace(images, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
        habits = parts.Habits("real", 1, WHY, images, "the authors'" if names.keras else "HongguLiu's port's")
        outputs = network.fc2.out_features
        found, unknown = parts.completed(spec, self.name, outputs, 3, habits)
        unknown.pop("images.size", None)  # fc1 and the pooling tell it
        if spec.images.resize is None:
            unknown["images.resize"] = f"{images.resize or 'bilinear'} ({habits.source}); [images] resize"
        said = {f"architecture.{key}" for key, value in spec.architecture.items() if value != "auto"}
        why = {key: value for key, value in why.items() if key not in said}
        lines = (
            f"{'MesoInception4' if names.inceptions else 'Meso4'}: {network.words}; {size} px",
            f"head: {names.linear[0]} {network.fc1.in_features} -> 16, LeakyReLU {chosen['slope']:g}, "
            f"{names.linear[1]} 16 -> {outputs}",
        )
        return Found(self.name, "discriminator", network, lines, found, unknown | why, score=0.97)


def _pooled(side: int, chosen: Mapping[str, Any]) -> int:
    """The side of the last maps for images of ``side`` pixels."""
    for kernel in (2, 2, 2, chosen["last_pool"]):
        side = (side + 2 * chosen["pool_padding"] - kernel) // kernel + 1
    return side


WHY = (
    "as in the authors' code, and where folders are sorted by name, 'df' 0 and 'real' 1; FaceForensics++ has 1 for fake"
)


def _chosen(names: _Names, tensors: parts.State, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The options with what is told or assumed in place of what was not said, and why."""
    checks.one_of("[architecture] flatten", settings["flatten"], FLATTENS)
    checks.one_of("[architecture] order", settings["order"], ORDERS)
    for key, kinds in (("eps", (int, float)), ("inception_relu", (bool,))):
        if settings[key] is not None and type(settings[key]) not in kinds:
            raise ValueError(f"[architecture] {key} must be a {kinds[-1].__name__}, got {settings[key]!r}")
    if settings["last_pool"] < 1:
        raise ValueError(f"[architecture] last_pool must be at least 1, got {settings['last_pool']}")
    if settings["pool_padding"] not in (0, 1) or settings["pool_padding"] > settings["last_pool"] // 2:
        raise ValueError(f"[architecture] pool_padding must be 0 or 1, got {settings['pool_padding']}")
    made = "from Keras, as the file counts no batches" if names.keras else "as in torch"
    flatten, told = _flattened(tensors[f"{names.linear[0]}.weight"], names.keras)
    order, placed = names.order(tensors)
    usual = {"flatten": flatten, "order": order, "eps": 1e-3 if names.keras else 1e-5, "inception_relu": names.biased}
    chosen = {k: usual[k] if k in usual and v in (None, "auto") else v for k, v in settings.items()}
    why = {
        "architecture.flatten": f'{flatten} ({told}); [architecture] flatten = "hwc" as in Keras or "chw" as in torch',
        "architecture.order": f'{order} ({placed}); [architecture] order = "relu-norm", "norm-relu" or "norm" '
        "(no ReLU)",
        "architecture.pool_padding": f"{settings['pool_padding']} of every max pooling, as in the authors' code; "
        "[architecture] pool_padding = 1 gives maps of the same size",
        "architecture.eps": f"{chosen['eps']:g} in BatchNorm ({made}); [architecture] eps",
        "architecture.slope": f"LeakyReLU {settings['slope']:g} before the last layer; [architecture] slope",
    }
    if names.inceptions:
        follows = "ReLU" if names.biased else "no ReLU, as in HongguLiu's port, whose kernels have no biases either,"
        why["architecture.inception_relu"] = (
            f"{follows} after the kernels of inception layers; [architecture] inception_relu"
        )
    return chosen, why


def _flattened(kernel: Tensor, keras: bool) -> tuple[str, str]:
    """The order of the columns of fc1 (16, 16 s^2), and what tells it.

    Weights of neighbouring places of one map are alike in a trained network: measured on five published files, they
    correlate by .20 to .33 in the right order and by -.04 to .13 in the wrong one.
    """
    side = round((kernel.shape[1] / 16) ** 0.5)
    if 16 * side**2 != kernel.shape[1]:
        raise ValueError(f"the first linear layer must read 16 square maps, got {kernel.shape[1]} numbers")
    usual = "hwc" if keras else "chw"
    if side < 2:
        return usual, "the same for maps of one pixel"
    columns = {
        "hwc": kernel.float().view(16, side, side, 16).permute(0, 3, 1, 2),
        "chw": kernel.float().view(16, 16, side, side),
    }
    alike = {name: _neighbours(maps) for name, maps in columns.items()}
    told = abs(alike["hwc"] - alike["chw"]) > TOLD
    flatten = max(alike, key=lambda name: alike[name]) if told else usual
    numbers = f"neighbouring weights correlate by {alike['hwc']:.2f} as hwc and {alike['chw']:.2f} as chw"
    return (
        flatten,
        numbers if told else f"{numbers}, which tells nothing, and the file is {'' if keras else 'not '}Keras's",
    )


def _neighbours(maps: Tensor) -> float:
    first = torch.cat([maps[..., 1:].flatten(), maps[..., 1:, :].flatten()])
    second = torch.cat([maps[..., :-1].flatten(), maps[..., :-1, :].flatten()])
    return float(torch.corrcoef(torch.stack([first, second])).nan_to_num()[0, 1])


class _Names:
    """Where the layers of either network are in a state dict, whatever a port calls them."""

    def __init__(self, tensors: parts.State) -> None:
        kernels = [n.removesuffix(".weight") for n, v in tensors.items() if n.endswith(".weight") and v.ndim == 4]
        self.kernels = sorted(kernels, key=_inception_first)
        self.linear = [n.removesuffix(".weight") for n, v in tensors.items() if n.endswith(".weight") and v.ndim == 2]
        norms = [n.removesuffix(".running_mean") for n in tensors if n.endswith(".running_mean")]
        self.norms = sorted(norms, key=_inception_first)
        shapes = [tuple(tensors[f"{name}.weight"].shape[:2]) for name in self.kernels]
        widths = [len(tensors[f"{name}.running_mean"]) for name in self.norms]
        head = [tuple(tensors[f"{name}.weight"].shape) for name in self.linear]
        self.inceptions = 2 if shapes == MIXED else 0
        right = [[11, 12, 16, 16], [11, 12, 16]] if self.inceptions else [[8, 8, 16, 16], [8, 16]]
        self.fit = shapes in (PLAIN, MIXED) and widths in right and [h[-1] for h in head[1:]] == [16]
        self.shared = len(widths) < 4  # one BatchNorm serves two layers of one width
        self.keras = not any(name.endswith("num_batches_tracked") for name in tensors)
        self.biased = any(f"{name}.bias" in tensors for name in self.kernels)

    def norm(self, i: int) -> int:
        """Which of the BatchNorms follows the i-th of four layers."""
        return i if not self.shared else min(i, 2) if self.inceptions else i // 2

    def order(self, tensors: parts.State) -> tuple[str, str]:
        """Whether ReLU or BatchNorm comes first after a convolution, and what tells it."""
        last, norm = (name.rpartition(".")[2] for name in (self.kernels[-1], self.norms[-1]))
        if last.isdigit() and norm.isdigit() and not self.shared:
            return ("relu-norm", "told by places") if int(norm) - int(last) > 1 else ("norm-relu", "told by places")
        if any(bool((tensors[f"{name}.running_mean"] < 0).any()) for name in self.norms[self.inceptions :]):
            return "norm-relu", "the means that BatchNorm remembers are not of a ReLU; that one follows is assumed"
        return "relu-norm", "as in the authors' code"

    def state(self, tensors: parts.State) -> dict[str, Tensor]:
        """The tensors by the names that `Network` gives its layers."""
        renamed = {old: f"conv{i}" for i, old in enumerate(self.kernels)}
        renamed |= {old: f"bn{i}" for i, old in enumerate(self.norms)}
        renamed |= {old: f"fc{i}" for i, old in enumerate(self.linear, 1)}
        split = {name: name.rpartition(".") for name in tensors}
        return {f"{renamed.get(split[n][0], split[n][0])}.{split[n][2]}": value for n, value in tensors.items()}


def _inception_first(name: str) -> tuple[bool, list[tuple[int, int | str]]]:
    return not INCEPTION.match(f"{name}."), parts.natural(name)


class Network(nn.Module):
    """Four layers of one or several convolutions, each with ReLU, BatchNorm and max pooling; two linear layers.

    A BatchNorm that a port uses twice is used twice here.
    """

    def __init__(self, names: _Names, tensors: parts.State, chosen: Mapping[str, Any]) -> None:
        super().__init__()
        self.order, self.flatten = chosen["order"], chosen["flatten"]
        self.where = [names.norm(i) for i in range(4)]
        self.inceptions, self.inception_relu = names.inceptions, chosen["inception_relu"]
        for i, name in enumerate(names.kernels):
            dilation = DILATED.get(i % 7, 1) if i < 7 * self.inceptions else 1
            self.add_module(f"conv{i}", parts.convolution(tensors, name, dilation=dilation))
            self.add_module(f"relu{i}", nn.ReLU())
        for i, name in enumerate(names.norms):
            self.add_module(f"bn{i}", parts.batch_norm(tensors, name, chosen["eps"]))
        self.pools = nn.ModuleList(
            nn.MaxPool2d(k, padding=chosen["pool_padding"]) for k in (2, 2, 2, chosen["last_pool"])
        )
        inputs, outputs = tensors[f"{names.linear[0]}.weight"].shape[1], len(tensors[f"{names.linear[1]}.weight"])
        self.side = round((inputs / 16) ** 0.5)
        self.fc1, self.leaky = nn.Linear(inputs, 16, device="meta"), nn.LeakyReLU(chosen["slope"])
        self.fc2 = nn.Linear(16, outputs, device="meta")
        order = ", ".join(["convolution", *(WORDS[word] for word in self.order.split("-"))])
        shared = ", BatchNorms shared by layers of one width" if names.shared else ""
        self.words = f"{order}, max pooling, four times{shared}; flattened {self.flatten}"

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, 32 s, 32 s) to logits (N, K)."""
        x = images
        for i, pool in enumerate(self.pools):
            norm = self.get_submodule(f"bn{self.where[i]}")
            if i < self.inceptions:
                x = norm(self._inception(x, 7 * i))
            else:
                place = 7 * self.inceptions + i - self.inceptions
                x = self.get_submodule(f"conv{place}")(x)
                for word in self.order.split("-"):
                    x = norm(x) if word == "norm" else self.get_submodule(f"relu{place}")(x)
            x = pool(x)
        x = x.permute(0, 2, 3, 1) if self.flatten == "hwc" else x
        logits: Tensor = self.fc2(self.leaky(self.fc1(x.flatten(1))))
        return logits

    def _inception(self, x: Tensor, first: int) -> Tensor:
        def run(y: Tensor, *places: int) -> Tensor:
            for i in places:
                y = self.get_submodule(f"conv{first + i}")(y)
                y = self.get_submodule(f"relu{first + i}")(y) if self.inception_relu else y
            return y

        return torch.cat([run(x, 0), run(x, 1, 2), run(x, 3, 4), run(x, 5, 6)], 1)
