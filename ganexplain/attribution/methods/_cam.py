"""What class activation maps share: a layer's activations and gradients, and the way from its grid to the pixels."""

from __future__ import annotations

import contextlib
import difflib
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from ganexplain import tensors
from ganexplain.attribution.chart import BaselineLike, Chart, Domain
from ganexplain.attribution.methods._base import ENDS, Method, Outcome
from ganexplain.attribution.methods._grid import SPATIAL, Size, Tracer, spread, through_resize
from ganexplain.models.critic import Critic
from ganexplain.models.forms import Images

LISTED = 12  # names in an error
NORMS = (nn.InstanceNorm2d, nn.GroupNorm, nn.LayerNorm)  # by the image's own statistics
OTHERWISE = "kernel_shap, lime or occlusion need no layer"


class ActivationMap(Method):
    """Base of the maps on a layer's grid: signed, never stretched to their own range, brought to the caller's pixels.

    Args:
        critic: the critic to explain.
        domain: of pixels or regions.
        baseline: plays no role in the values; it is only shown beside the map.
        layer: name of a convolution, or of any layer that returns maps (N, C, h, w); None takes the last convolution
            that is called and returns more than one cell, behind the normalisation by the image's own statistics that
            reads it, if there is one: what goes into that has no size of its own, and its gradients cancel.
        batch_size: the largest batch that the critic sees.

    The layer's output is cut out of the graph and the logit differentiated by it. A layer that is called several times
    is cut at each call, and the maps of its calls are added: what goes from one call through a later one is counted at
    the later one alone, so that nothing counts twice. Cells lie where the strides and paddings before the layer put
    them.
    """

    needs: ClassVar[str] = "modules"
    sets: ClassVar[bool] = True  # nothing is compared, so there is nothing to average over
    compares: ClassVar[bool] = False

    def __init__(
        self,
        critic: Critic,
        *,
        domain: Domain | None = None,
        baseline: BaselineLike = None,
        layer: str | None = None,
        batch_size: int = 64,
    ) -> None:
        super().__init__(critic, domain=domain, baseline=baseline, batch_size=batch_size)
        if layer is not None and isinstance(critic.network, nn.Module):
            named(critic.network, layer)
        self.layer = layer

    def planned(self, n_players: int) -> int:
        """One look at the layers, one gradient, and the ends."""
        return 2 + ENDS

    @abstractmethod
    def _on_grid(self, activation: Tensor, gradient: Tensor) -> Tensor:
        """(N, h, w) evidence for "real" from activation and gradient of the logit by it, both (N, C, h, w)."""

    def _outcome(self, chart: Chart, seed: int) -> Outcome:
        network, rows = self._network(), torch.arange(len(chart.point), device=chart.point.device)
        form = self.critic.form
        if not isinstance(form, Images):
            raise ValueError(
                f"{self.name} gives a map of pixels, and the domain {chart.domain!r} is one of {form.many}"
            )
        # a ramp, since an image of zeros is its own transform
        ramp = torch.linspace(-1, 1, chart.point[0].numel()).to(chart.point).view(1, *chart.point.shape[1:])
        if chart.image is None or not torch.equal(chart.image(ramp, rows[:1]), ramp):
            raise ValueError(
                f"{self.name} gives a map of pixels, and the domain {chart.domain!r} has other coordinates"
            )
        look = looked(network, chart, self.critic.preprocess.shape)
        name = self.layer if self.layer is not None else look.default(self.name)
        layer = named(network, name)

        def of(points: Tensor, index: Tensor) -> Tensor:
            return self._pixels(chart, layer, name, look, points, index)

        values = tensors.batched(of, self.batch_size, chart.point, rows)
        shared = (values / chart.point.shape[1])[:, None].expand(chart.point.shape).to(chart.point.dtype)
        used = torch.full((len(rows),), 2)
        return Outcome(shared.contiguous(), used, facts={"layer": name})

    def _pixels(self, chart: Chart, layer: nn.Module, name: str, look: Look, points: Tensor, index: Tensor) -> Tensor:
        """(M, H, W) float64 map of a batch on the caller's pixels."""
        size = (points.shape[2], points.shape[3])
        total = torch.zeros(len(points), *size, dtype=torch.float64, device=points.device)
        for activation, gradient in taken(chart, layer, name, points, index):
            cells = self._on_grid(activation, gradient).double().to(points.device)
            grid = look.tracer.of((cells.shape[1], cells.shape[2]))
            seen = spread(cells, grid, look.tracer.input.size)
            total += through_resize(seen, size, self.critic.preprocess.resize)
        return total

    def _network(self) -> nn.Module:
        network = self.critic.network
        if not isinstance(network, nn.Module):
            raise ValueError(
                f"{self.name} reads a layer, and this critic is a function; give Critic a torch module ({OTHERWISE})"
            )
        return network


@dataclass
class Look:
    """What one forward pass shows of the layers.

    Attributes:
        called: name and output of each convolution, or of the normalisation behind it, in the order of the calls.
        tracer: where maps of each size lie.
    """

    called: list[tuple[str, Tensor]]
    tracer: Tracer

    def default(self, method: str) -> str:
        """The last convolution whose output has more than one cell.

        Raises:
            ValueError: there is none.
        """
        found = [name for name, output in self.called if output[0, 0].numel() > 1]
        if not found:
            raise ValueError(
                f"{method} needs a convolution whose output has more than one cell, and the network's modules have "
                f"none; name a layer that returns maps, layer=... ({OTHERWISE})"
            )
        return found[-1]


def looked(network: nn.Module, chart: Chart, size: Size | None) -> Look:
    """Run the first image forward and note which layers are called and where their cells lie."""
    inputs = size or (chart.point.shape[2], chart.point.shape[3])
    look = Look([], Tracer(inputs))

    def watch(name: str, module: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def hook(_: nn.Module, given: tuple[Any, ...], output: Any) -> None:
            if not isinstance(output, Tensor) or output.ndim != 4:
                return
            read = given[0] if given and isinstance(given[0], Tensor) and given[0].ndim == 4 else None
            if read is not None:
                look.tracer.follow(module, _size(read), _size(output))
            if is_convolution(module):
                look.called.append((name, output))
            elif isinstance(module, NORMS) and look.called and look.called[-1][1] is read:
                look.called[-1] = (name, output)

        return module.register_forward_hook(hook)

    with contextlib.ExitStack() as stack:
        for name, module in network.named_modules():
            if isinstance(module, (*SPATIAL, *NORMS)) or is_convolution(module):
                stack.callback(watch(name, module).remove)
        chart.values(chart.point[:1], torch.zeros(1, dtype=torch.long, device=chart.point.device), 1)
    return look


def taken(chart: Chart, layer: nn.Module, name: str, points: Tensor, index: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Activation and gradient of the logit by it (both (M, C, h, w)) for each call of the layer on these points.

    Raises:
        ValueError: the layer is never called, returns no maps, or no gradient reaches it.
    """
    with torch.enable_grad():
        with cut(layer) as outputs:
            logit = chart.evidence(points.clone(), index)
        if not outputs:
            raise ValueError(f"the layer {name!r} is not called when an image is judged; choose another layer")
        for output in outputs:
            if output.ndim != 4 or len(output) != len(points) or output.shape[2] * output.shape[3] < 2:
                raise ValueError(
                    f"the layer {name!r} must return maps (N, C, h, w) of more than one cell, got "
                    f"{(len(points), *output.shape[1:])}; choose a layer before it"
                )
        if not logit.requires_grad:
            raise ValueError(f"no gradient of the critic reaches the layer {name!r}; choose another ({OTHERWISE})")
        found = torch.autograd.grad(logit.sum(), outputs, allow_unused=True)
    gradients = (torch.zeros_like(o) if g is None else g for o, g in zip(outputs, found, strict=True))
    return [(o.detach(), g) for o, g in zip(outputs, gradients, strict=True)]


@contextlib.contextmanager
def cut(layer: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the layer's outputs as leaves from which all that follows is computed."""
    outputs: list[Tensor] = []

    def hook(_: nn.Module, given: Any, output: Any) -> Tensor:
        if not isinstance(output, Tensor):
            raise ValueError(f"the layer must return one tensor (N, C, h, w), got {type(output).__name__}")
        leaf = output.detach().requires_grad_(True)
        outputs.append(leaf)
        return leaf.clone()  # what follows may write into it

    handle = layer.register_forward_hook(hook)
    try:
        yield outputs
    finally:
        handle.remove()


def is_convolution(module: nn.Module) -> bool:
    """A convolution of torch, or a layer of one's own that holds a kernel (out, in, height, width)."""
    own = module.parameters(recurse=False)
    return isinstance(module, nn.Conv2d | nn.ConvTranspose2d) or (
        not isinstance(module, ParametrizationList) and any(p.ndim == 4 for p in own)
    )


def named(network: nn.Module, name: str) -> nn.Module:
    """The layer of that name.

    Raises:
        ValueError: there is none; the message says the nearest names and which convolutions there are.
    """
    modules: dict[str, nn.Module] = dict(network.named_modules(remove_duplicate=False))
    if name in modules and name:
        return modules[name]
    convolutions = [n for n, m in modules.items() if n and is_convolution(m)]
    near = difflib.get_close_matches(name, [n for n in modules if n], n=2) or convolutions[-1:]
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    more = f", and {len(convolutions) - LISTED} more" if len(convolutions) > LISTED else ""
    there = ", ".join(convolutions[:LISTED]) or "none"
    raise ValueError(f"unknown layer {name!r}{hint} (convolutions: {there}{more})")


def _size(maps: Tensor) -> Size:
    return maps.shape[2], maps.shape[3]
