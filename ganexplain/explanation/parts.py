"""What the parts of an input are: regions of an image, features of a row, spans of a signal."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from ganexplain.attribution import players as groups
from ganexplain.attribution.attribution import Attribution
from ganexplain.attribution.chart import Domain
from ganexplain.attribution.domains.feature import Feature
from ganexplain.attribution.domains.pixel import Pixel
from ganexplain.attribution.domains.region import SEGMENTS, Region, segments
from ganexplain.attribution.domains.window import Window
from ganexplain.explanation.plan import Plan
from ganexplain.models.forms import Form
from ganexplain.models.signal import Signal
from ganexplain.models.table import Table


def labels_of(form: Form, inputs: Tensor, plan: Plan) -> Tensor:
    """Canonical labels of the parts of one input: (H, W) of an image, (F,) of a row, (C, L) of a signal.

    Raises:
        ValueError: the plan's mask does not fit.
    """
    mask = plan.mask
    if isinstance(form, Table):
        if mask is not None:
            raise ValueError("a row has no mask; say which features belong together by groups of the Table")
        return groups.canonical(form.labels[None])[0]
    if isinstance(form, Signal):
        return Window(mask, n_windows=plan.n_segments).labels(inputs, form.windows)
    size = tuple(inputs.shape[2:])
    if mask is None:
        return groups.canonical(segments(inputs, plan.n_segments))[0]
    if tuple(mask.shape) not in (size, (1, *size)):
        raise ValueError(f"the mask must have the image's size {size}, got {tuple(mask.shape)}")
    return groups.canonical(groups.check_labels(mask, "mask").reshape(1, *size))[0]


def counts_of(form: Form, inputs: Tensor, plan: Plan) -> Iterator[int]:
    """Number of parts of each of several inputs; those of one mask are counted once."""
    if not isinstance(form, Table | Signal) and plan.mask is None:
        yield from groups.counts(groups.canonical(segments(inputs, plan.n_segments))).tolist()
        return
    count = int(labels_of(form, inputs[:1], plan).max()) + 1
    yield from [count] * len(inputs)


def domain_of(form: Form, needs: str, labels: Tensor | None, plan: Plan) -> Domain:
    """Where a method that ``needs`` calls or gradients works; ``labels`` None takes the parts of each input anew."""
    if isinstance(form, Table):
        return Feature()
    if isinstance(form, Signal):
        return Window(plan.mask if labels is None else labels, n_windows=plan.n_segments)
    source = SEGMENTS if plan.mask is None else "mask"
    return Pixel() if needs != "calls" else Region(labels, n_segments=plan.n_segments, source=source)


def region_totals(attribution: Attribution, labels: Tensor) -> Tensor:
    """(P,) sums of an attribution of one input over its parts, whose labels lack the axis of an image's channels."""
    return groups.totals(placed(attribution.values, labels), labels[None].to(attribution.values.device))[0]


def placed(values: Tensor, labels: Tensor) -> Tensor:
    """(N, *place) values summed over the axes that labels (*place) do not have: the channels of an image."""
    extra = values.ndim - 1 - labels.ndim
    return values.flatten(1, extra).sum(1) if extra else values
