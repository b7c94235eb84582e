"""The two sides of a comparison: a method here, and the call that its users make in another library.

A side is a function of a subject that builds everything (networks wrapped, explainers made) and returns what is timed:
a call without arguments that gives signed values (N, C, H, W) of the logit.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks._subjects import Subject
from ganexplain import Region
from ganexplain.attribution import METHODS
from ganexplain.attribution.domains.pixel import Pixel

Run = Callable[[], Tensor]
Side = Callable[[Subject], Run]
BATCH = 64


def ours(name: str, *, regions: bool = False, pixels: bool = False, reals: bool = False, **given: Any) -> Side:
    def build(subject: Subject) -> Run:
        domain = {"domain": Region(subject.labels)} if regions else {"domain": Pixel()} if pixels else {}
        baseline = subject.reals[None] if reals else subject.baseline
        method = METHODS.get(name)(subject.critic(), baseline=baseline, batch_size=BATCH, **domain, **given)
        method.critic.fast(subject.images)  # once for a critic
        return lambda: method.attribute(subject.images, side="real").values

    return build


def captum(name: str, *, whole: bool = False, regions: bool = False, **given: Any) -> Side:
    """A method of captum on one image after another, or on all at once."""

    def build(subject: Subject) -> Run:
        import captum.attr

        method = getattr(captum.attr, name)(subject.network)
        masks = subject.labels[:, None]

        def some(rows: slice) -> Tensor:
            kept = {k: (v(subject, rows) if callable(v) else v) for k, v in given.items()}
            extra = {"feature_mask": masks[rows]} if regions else {}
            found: Tensor = method.attribute(subject.images[rows], target=0, **extra, **kept)
            return per_pixel(found.detach(), masks[rows]) if regions else found.detach()

        step = len(subject.images) if whole else 1
        return lambda: torch.cat([some(slice(i, i + step)) for i in range(0, len(subject.images), step)])

    return build


def per_pixel(values: Tensor, mask: Tensor) -> Tensor:
    """Each region's value spread over its pixels: captum writes the whole value into every one of them."""
    size = torch.stack([torch.bincount(m.flatten())[m] for m in mask]) * values.shape[1]
    return values / size


def base(subject: Subject, rows: slice) -> Tensor:
    return subject.baseline[rows]


def captum_cam(subject: Subject) -> Run:
    from captum.attr import LayerAttribution, LayerGradCam

    layers = [m for m in subject.network.modules() if isinstance(m, torch.nn.Conv2d)]
    method, size = LayerGradCam(subject.network, layers[-1]), tuple(subject.images.shape[2:])
    return lambda: LayerAttribution.interpolate(method.attribute(subject.images, target=0), size, "bilinear").detach()


def captum_smooth(samples: int) -> Side:
    def build(subject: Subject) -> Run:
        from captum.attr import NoiseTunnel, Saliency

        tunnel = NoiseTunnel(Saliency(subject.network))
        given: dict[str, Any] = {"nt_samples": samples, "nt_samples_batch_size": BATCH // 4, "stdevs": 0.3}
        return lambda: tunnel.attribute(subject.images, target=0, abs=False, **given).detach()

    return build


def shap_gradient(samples: int) -> Side:
    def build(subject: Subject) -> Run:
        import shap

        explainer = shap.GradientExplainer(subject.network, subject.reals, batch_size=BATCH)
        return lambda: torch.from_numpy(explainer.shap_values(subject.images, nsamples=samples, rseed=0)[..., 0])

    return build


def shap_partition(evaluations: int, batch: int) -> Side:
    """The partition explainer of shap on the same halving tree of the image, the baseline as its mask."""

    def build(subject: Subject) -> Run:
        import shap

        shape = subject.images.shape[1:]

        def one(row: int) -> Run:
            base = subject.baseline[row].permute(1, 2, 0).numpy()
            masker = shap.maskers.Image(base.astype(np.float32), shape=(shape[1], shape[2], shape[0]))

            def predict(x: Any) -> Any:
                with torch.no_grad():
                    return subject.network(torch.as_tensor(np.asarray(x)).float().permute(0, 3, 1, 2)).numpy()

            explainer = shap.PartitionExplainer(predict, masker)
            image = subject.images[row : row + 1].permute(0, 2, 3, 1).numpy()

            def run() -> Tensor:
                found = explainer(image, max_evals=evaluations, batch_size=batch, silent=True)
                return torch.as_tensor(found.values[..., 0]).permute(0, 3, 1, 2)

            return run

        runs = [one(row) for row in range(len(subject.images))]
        return lambda: torch.cat([run() for run in runs])

    return build


def lime_image(samples: int, batch: int) -> Side:
    def build(subject: Subject) -> Run:
        from lime import lime_image

        colour = subject.images.shape[1] == 3

        def predict(x: Any) -> Any:
            rows = torch.as_tensor(np.asarray(x)).float().permute(0, 3, 1, 2)
            with torch.no_grad():
                return subject.network(rows if colour else rows[:, :1]).numpy()

        def one(row: int) -> Tensor:
            labels = subject.labels[row].numpy()
            image = subject.images[row].expand(3, -1, -1).permute(1, 2, 0).double().numpy()
            with contextlib.redirect_stderr(io.StringIO()):  # its progress bar cannot be turned off
                found = lime_image.LimeImageExplainer(random_state=0).explain_instance(
                    image,
                    predict,
                    labels=(0,),
                    top_labels=None,
                    hide_color=0,
                    num_samples=samples,
                    batch_size=batch,
                    segmentation_fn=lambda _: labels,
                )
            weights = dict(found.local_exp[0])
            values = torch.tensor([weights.get(i, 0.0) for i in range(int(labels.max()) + 1)])
            return values[subject.labels[row]][None, None]

        return lambda: torch.cat([one(row) for row in range(len(subject.images))])

    return build


def permutations(subject: Subject, rows: slice) -> int:
    return round(1000 / (int(subject.labels[rows].max()) + 1))


def window(subject: Subject, rows: slice) -> tuple[int, int, int]:
    side = subject.images.shape[-1] // 7
    return (subject.images.shape[1], side, side)


def stride(subject: Subject, rows: slice) -> tuple[int, int, int]:
    half = max(1, subject.images.shape[-1] // 14)
    return (subject.images.shape[1], half, half)
