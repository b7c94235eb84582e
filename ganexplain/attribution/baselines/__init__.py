"""What "without" means: the image that an explanation starts from. One baseline a file."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ganexplain import checks
from ganexplain.attribution.chart import BaselineLike
from ganexplain.models.critic import Critic


@dataclass(frozen=True)
class Origin:
    """A baseline made for some images.

    Attributes:
        images: (N or 1, C, H, W).
        name: what it is called in reports.
    """

    images: Tensor
    name: str


def origin_of(critic: Critic, images: Tensor, baseline: BaselineLike) -> Origin:
    """The baseline images for ``images``.

    Args:
        critic: asked for its reference reals where the baseline needs them.
        images: (N, C, H, W) in [-1, 1].
        baseline: a name from the registry, a tensor, a callable (critic, images) -> tensor, or None: the nearest real
            where the critic knows reals, else the blurred image.

    Raises:
        ValueError: unknown name, wrong shape, or reals are needed and not known.
    """
    from ganexplain.attribution import BASELINES

    if baseline is None:
        baseline = "nearest_real" if critic.reference is not None else "blur"
    if isinstance(baseline, Tensor):
        made, name = baseline, "given"
    elif isinstance(baseline, str):
        made, name = BASELINES.get(baseline)()(critic, images), baseline.replace("-", "_")
    else:
        made, name = baseline(critic, images), getattr(baseline, "name", "given")
    if not isinstance(made, Tensor):
        raise TypeError(f"a baseline must be a tensor {tuple(images.shape)}, got {type(made).__name__}")
    if made.ndim != 4 or made.shape[1:] != images.shape[1:] or len(made) not in (1, len(images)):
        raise ValueError(f"a baseline must have the shape {tuple(images.shape)} or (1, ...), got {tuple(made.shape)}")
    return Origin(checks.finite(made, "the baseline").to(images).detach().clone(), name)
