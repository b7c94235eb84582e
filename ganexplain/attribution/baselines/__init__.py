"""What "without" means: the image that an explanation starts from. One baseline a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ganexplain import checks
from ganexplain.attribution.baselines._fixed import Fixed
from ganexplain.attribution.chart import BaselineLike
from ganexplain.models.critic import Critic
from ganexplain.models.forms import Form


@dataclass(frozen=True)
class Origin:
    """A baseline made for some images.

    Attributes:
        images: (N or 1, C, H, W); of a set, its mean.
        name: what it is called in reports.
        many: (N or 1, K, C, H, W) the set, or None where there is one.
        fill: (inputs (M, C, H, W), keep (M, C, H, W) bool) -> (M, C, H, W), what stands where parts are removed, for a
            baseline that depends on what is left; None puts ``images`` there.
        notes: what a reader must know of it, one sentence each.
    """

    images: Tensor
    name: str
    many: Tensor | None = None
    fill: Callable[[Tensor, Tensor], Tensor] | None = None
    notes: tuple[str, ...] = ()


def baselines_in(baseline: BaselineLike, axes: int = 4) -> int:
    """How many baselines an input of ``axes`` axes (with that of N) this stands for: 1, or the size of a set."""
    from ganexplain.attribution import BASELINES

    if isinstance(baseline, Tensor):
        return baseline.shape[1] if baseline.ndim == axes + 1 else 1
    made = BASELINES.get(baseline)() if isinstance(baseline, str) else baseline
    return int(getattr(made, "n", 1))


def origin_of(critic: Critic, images: Tensor, baseline: BaselineLike) -> Origin:
    """The baseline images for ``images``.

    Args:
        critic: asked for its reference reals where the baseline needs them.
        images: (N, C, H, W) in [-1, 1], or rows or signals.
        baseline: a name from the registry, a tensor, a callable (critic, images) -> tensor or `Origin`, or None: the
            nearest real where the critic knows reals, else what the form has that needs none: the blurred image or
            signal, or the row of zeros. A tensor with one more axis, (N or 1, K, C, H, W), is a set of K baselines for
            each image, over which explanations are averaged.

    Raises:
        ValueError: unknown name, wrong shape, or reals are needed and not known.
    """
    from ganexplain.attribution import BASELINES

    if baseline is None:
        baseline = "nearest_real" if critic.reference is not None else critic.form.contrasts[0]
    made: Any
    if isinstance(baseline, Tensor):
        made, name = baseline, "given"
    elif isinstance(baseline, str):
        name = baseline.replace("-", "_")
        made = _of_form(critic.form, name, BASELINES.get(baseline))()(critic, images)
    else:
        made, name = baseline(critic, images), getattr(baseline, "name", "given")
    if not isinstance(made, Origin):
        return _checked(made, images, name)
    kept = _checked(made.images if made.many is None else made.many, images, made.name)
    return replace(made, images=kept.images, many=kept.many)


def made_once(critic: Critic, images: Tensor, baseline: BaselineLike) -> Fixed:
    """The baseline of these images, made now and the same for every critic, domain and method that is given it.

    A search for one is then run once; a critic with other weights, or one that knows no reals, is compared from the
    same place; and the removal checks of a gradient method fill what is removed as an in-painting explanation does.

    Args:
        critic: see `origin_of`.
        images: those that are explained; the result fits no others.
        baseline: see `origin_of`.
    """
    if isinstance(baseline, Fixed):
        return baseline
    origin = origin_of(critic, images, baseline)
    return Fixed(
        origin.images if origin.many is None else origin.many,
        origin.name,
        1 if origin.many is None else origin.many.shape[1],
        fill=origin.fill,
        notes=origin.notes,
    )


def _checked(made: Any, images: Tensor, name: str) -> Origin:
    """What a baseline gave, as the origin of ``images``, in tensors of its own."""
    if not isinstance(made, Tensor):
        raise TypeError(f"a baseline must be a tensor {tuple(images.shape)}, got {type(made).__name__}")
    axes = images.ndim
    if (
        made.ndim not in (axes, axes + 1)
        or made.shape[1 - axes :] != images.shape[1:]
        or len(made) not in (1, len(images))
    ):
        raise ValueError(
            f"a baseline must have the shape {tuple(images.shape)} or (1, ...), or for a set of K of them (1, K, ...), "
            f"got {tuple(made.shape)}"
        )
    made = checks.finite(made, "the baseline").to(images).detach().clone()
    return Origin(made, name) if made.ndim == axes else Origin(made.mean(1), name, made)


def _of_form(form: Form, name: str, kind: Any) -> Any:
    """Refuse a baseline that only another form has."""
    if name not in form.baselines:
        raise ValueError(
            f"there is no baseline {name!r} for {form.many}; take {', '.join(form.baselines[:-1])} or "
            f"{form.baselines[-1]}"
        )
    return kind
