"""Each row of the attribution benchmark: one method here and in the library that people use, on equal inputs.

A side is a function of a subject that builds everything (networks wrapped, explainers made) and returns what is timed:
a call without arguments that gives signed values (N, C, H, W) of the logit. Both sides get the same images, baselines,
regions and number of evaluations; where a library's default batch differs from 64, it has a row for each.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks._subjects import Subject
from ganexplain import Region
from ganexplain.attribution import METHODS

Run = Callable[[], Tensor]
Side = Callable[[Subject], Run]
BATCH = 64


@dataclass(frozen=True)
class Row:
    """Two ways to one map.

    Attributes:
        method: the product's name of it.
        library: whose the other side is.
        call: what the other side calls, in a few words.
        ours: the product's side.
        theirs: the library's side.
        cost: what one evaluation costs, "forward" or "gradient" (forward and backward).
        images: how many the small and the wide critic explain.
        budget: the number of evaluations is chosen, so that times are compared per evaluation, else as they are.
        complete: the values should sum to the change from the baseline.
    """

    method: str
    library: str
    call: str
    ours: Side
    theirs: Side
    cost: str
    images: tuple[int, int] = (4, 1)
    complete: bool = False
    budget: bool = True


def _ours(name: str, *, regions: bool = False, reals: bool = False, **given: Any) -> Side:
    def build(subject: Subject) -> Run:
        domain = {"domain": Region(subject.labels)} if regions else {}
        baseline = subject.reals[None] if reals else subject.baseline
        method = METHODS.get(name)(subject.critic(), baseline=baseline, batch_size=BATCH, **domain, **given)
        method.critic.fast(subject.images)  # once for a critic
        return lambda: method.attribute(subject.images, side="real").values

    return build


def _captum(name: str, *, whole: bool = False, regions: bool = False, **given: Any) -> Side:
    """A method of captum on one image after another, or on all at once."""

    def build(subject: Subject) -> Run:
        import captum.attr

        method = getattr(captum.attr, name)(subject.network)
        masks = subject.labels[:, None]

        def some(rows: slice) -> Tensor:
            kept = {k: (v(subject, rows) if callable(v) else v) for k, v in given.items()}
            extra = {"feature_mask": masks[rows]} if regions else {}
            found: Tensor = method.attribute(subject.images[rows], target=0, **extra, **kept)
            return _per_pixel(found.detach(), masks[rows]) if regions else found.detach()

        step = len(subject.images) if whole else 1
        return lambda: torch.cat([some(slice(i, i + step)) for i in range(0, len(subject.images), step)])

    return build


def _per_pixel(values: Tensor, mask: Tensor) -> Tensor:
    """Each region's value spread over its pixels: captum writes the whole value into every one of them."""
    size = torch.stack([torch.bincount(m.flatten())[m] for m in mask]) * values.shape[1]
    return values / size


def _base(subject: Subject, rows: slice) -> Tensor:
    return subject.baseline[rows]


def _captum_smooth(samples: int) -> Side:
    def build(subject: Subject) -> Run:
        from captum.attr import NoiseTunnel, Saliency

        tunnel = NoiseTunnel(Saliency(subject.network))
        given: dict[str, Any] = {"nt_samples": samples, "nt_samples_batch_size": BATCH // 4, "stdevs": 0.3}
        return lambda: tunnel.attribute(subject.images, target=0, abs=False, **given).detach()

    return build


def _shap_gradient(samples: int) -> Side:
    def build(subject: Subject) -> Run:
        import shap

        explainer = shap.GradientExplainer(subject.network, subject.reals, batch_size=BATCH)
        return lambda: torch.from_numpy(explainer.shap_values(subject.images, nsamples=samples, rseed=0)[..., 0])

    return build


def _shap_partition(evaluations: int, batch: int) -> Side:
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


def _lime_image(samples: int, batch: int) -> Side:
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


def rows() -> list[Row]:
    """All rows; the number of evaluations is the library's own default, or 1,000 for sampled methods."""
    steps, samples = 90, 1000
    grid: dict[str, Any] = {"sliding_window_shapes": _window, "strides": _stride, "baselines": _base}
    shap_call = {"n_samples": samples, "baselines": _base}
    permuted = {"n_samples": _permutations, "baselines": _base, "perturbations_per_eval": BATCH}
    ig = {"n_steps": steps, "baselines": _base, "method": "riemann_middle"}
    refined = _ours("integrated_gradients", tol=1e-9, max_evaluations=steps)
    return [
        Row(
            "saliency",
            "captum",
            "Saliency(abs=False)",
            _ours("saliency"),
            _captum("Saliency", whole=True, abs=False),
            "gradient",
            (64, 64),
            budget=False,
        ),
        Row(
            "integrated_gradients",
            "captum",
            "IntegratedGradients",
            refined,
            _captum("IntegratedGradients", whole=True, **ig),
            "gradient",
            (16, 8),
            True,
        ),
        Row(
            "integrated_gradients",
            "captum",
            "IntegratedGradients, 64 a batch",
            refined,
            _captum("IntegratedGradients", whole=True, internal_batch_size=BATCH, **ig),
            "gradient",
            (4, 2),
            True,
        ),
        Row(
            "smoothgrad",
            "captum",
            "NoiseTunnel(Saliency), 64 a batch",
            _ours("smoothgrad", n_samples=100),
            _captum_smooth(100),
            "gradient",
            (4, 4),
        ),
        Row(
            "expected_gradients",
            "shap",
            "GradientExplainer, 64 a batch",
            _ours("expected_gradients", reals=True, max_evaluations=200, tol=1e-9),
            _shap_gradient(200),
            "gradient",
            (4, 2),
            True,
        ),
        Row(
            "deep_lift",
            "captum",
            "DeepLift",
            _ours("deep_lift"),
            _captum("DeepLift", whole=True, baselines=_base),
            "gradient",
            (4, 4),
            True,
            budget=False,
        ),
        Row(
            "guided_backprop",
            "captum",
            "GuidedBackprop",
            _ours("guided_backprop"),
            _captum("GuidedBackprop", whole=True),
            "gradient",
            (4, 4),
            budget=False,
        ),
        Row(
            "occlusion",
            "captum",
            "Occlusion, 64 a batch",
            _ours("occlusion"),
            _captum("Occlusion", perturbations_per_eval=BATCH, **grid),
            "forward",
            (4, 2),
        ),
        Row(
            "kernel_shap",
            "captum",
            "KernelShap",
            _ours("kernel_shap", regions=True, max_evaluations=samples),
            _captum("KernelShap", regions=True, **shap_call),
            "forward",
            (4, 1),
            True,
        ),
        Row(
            "kernel_shap",
            "captum",
            "KernelShap, 64 a batch",
            _ours("kernel_shap", regions=True, max_evaluations=samples),
            _captum("KernelShap", regions=True, perturbations_per_eval=BATCH, **shap_call),
            "forward",
            (4, 1),
            True,
        ),
        Row(
            "permutation_shapley",
            "captum",
            "ShapleyValueSampling, 64 a batch",
            _ours("permutation_shapley", regions=True, max_evaluations=samples),
            _captum("ShapleyValueSampling", regions=True, **permuted),
            "forward",
            (4, 1),
            True,
        ),
        Row(
            "owen",
            "shap",
            "PartitionExplainer",
            _ours("owen", max_evaluations=500),
            _shap_partition(500, 10),
            "forward",
            (4, 1),
            True,
        ),
        Row(
            "owen",
            "shap",
            "PartitionExplainer, 64 a batch",
            _ours("owen", max_evaluations=500),
            _shap_partition(500, BATCH),
            "forward",
            (4, 1),
            True,
        ),
        Row(
            "lime",
            "lime",
            "lime_image",
            _ours("lime", regions=True, max_evaluations=samples),
            _lime_image(samples, 10),
            "forward",
            (4, 1),
        ),
        Row(
            "lime",
            "lime",
            "lime_image, 64 a batch",
            _ours("lime", regions=True, max_evaluations=samples),
            _lime_image(samples, BATCH),
            "forward",
            (4, 1),
        ),
    ]


def _permutations(subject: Subject, rows: slice) -> int:
    return round(1000 / (int(subject.labels[rows].max()) + 1))


def _window(subject: Subject, rows: slice) -> tuple[int, int, int]:
    side = subject.images.shape[-1] // 7
    return (subject.images.shape[1], side, side)


def _stride(subject: Subject, rows: slice) -> tuple[int, int, int]:
    half = max(1, subject.images.shape[-1] // 14)
    return (subject.images.shape[1], half, half)
