"""Each row of the attribution benchmark: one method here and in the library that people use, on equal inputs.

Both sides get the same images, baselines, regions and number of evaluations; where a library's default batch differs
from 64, it has a row for each. A method of one pass explains 64 images at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks import _peers as peers
from benchmarks._peers import BATCH, Side


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
        complete: the values should sum to the change from the baseline.
        reals: the baseline is the set of reals.
    """

    method: str
    library: str
    call: str
    ours: Side
    theirs: Side
    cost: str
    images: tuple[int, int] = (4, 1)
    complete: bool = False
    reals: bool = False


def rows() -> list[Row]:
    """All rows; the number of evaluations is the library's own default, or 1,000 for sampled methods."""
    steps, samples = 90, 1000
    grid: dict[str, Any] = {"sliding_window_shapes": peers.window, "strides": peers.stride, "baselines": peers.base}
    shap_call = {"n_samples": samples, "baselines": peers.base}
    permuted = {"n_samples": peers.permutations, "baselines": peers.base, "perturbations_per_eval": BATCH}
    ig = {"n_steps": steps, "baselines": peers.base, "method": "riemann_middle"}
    refined = peers.ours("integrated_gradients", tol=1e-9, max_evaluations=steps)
    return [
        Row(
            "saliency",
            "captum",
            "Saliency(abs=False)",
            peers.ours("saliency"),
            peers.captum("Saliency", whole=True, abs=False),
            "gradient",
            (64, 64),
        ),
        Row(
            "integrated_gradients",
            "captum",
            "IntegratedGradients",
            refined,
            peers.captum("IntegratedGradients", whole=True, **ig),
            "gradient",
            (16, 16),
            True,
        ),
        Row(
            "integrated_gradients",
            "captum",
            "IntegratedGradients, full batches",
            refined,
            peers.captum("IntegratedGradients", whole=True, internal_batch_size=BATCH, **ig),
            "gradient",
            (4, 2),
            True,
        ),
        Row(
            "smoothgrad",
            "captum",
            "NoiseTunnel(Saliency), full batches",
            peers.ours("smoothgrad", n_samples=100),
            peers.captum_smooth(100),
            "gradient",
            (4, 4),
        ),
        Row(
            "expected_gradients",
            "shap",
            "GradientExplainer, full batches",
            peers.ours("expected_gradients", reals=True, max_evaluations=200, tol=1e-9),
            peers.shap_gradient(200),
            "gradient",
            (4, 2),
            True,
            reals=True,
        ),
        Row(
            "deep_lift",
            "captum",
            "DeepLift",
            peers.ours("deep_lift"),
            peers.captum("DeepLift", whole=True, baselines=peers.base),
            "gradient",
            (64, 64),
            True,
        ),
        Row(
            "guided_backprop",
            "captum",
            "GuidedBackprop",
            peers.ours("guided_backprop"),
            peers.captum("GuidedBackprop", whole=True),
            "gradient",
            (64, 64),
        ),
        Row(
            "grad_cam",
            "captum",
            "LayerGradCam, interpolated",
            peers.ours("grad_cam"),
            peers.captum_cam,
            "gradient",
            (64, 64),
        ),
        Row(
            "occlusion",
            "captum",
            "Occlusion, full batches",
            peers.ours("occlusion"),
            peers.captum("Occlusion", perturbations_per_eval=BATCH, **grid),
            "forward",
            (4, 2),
        ),
        Row(
            "kernel_shap",
            "captum",
            "KernelShap",
            peers.ours("kernel_shap", regions=True, max_evaluations=samples),
            peers.captum("KernelShap", regions=True, **shap_call),
            "forward",
            (4, 1),
            True,
        ),
        Row(
            "kernel_shap",
            "captum",
            "KernelShap, full batches",
            peers.ours("kernel_shap", regions=True, max_evaluations=samples),
            peers.captum("KernelShap", regions=True, perturbations_per_eval=BATCH, **shap_call),
            "forward",
            (4, 1),
            True,
        ),
        Row(
            "permutation_shapley",
            "captum",
            "ShapleyValueSampling, full batches",
            peers.ours("permutation_shapley", regions=True, max_evaluations=samples),
            peers.captum("ShapleyValueSampling", regions=True, **permuted),
            "forward",
            (4, 1),
            True,
        ),
        Row(
            "owen",
            "shap",
            "PartitionExplainer",
            peers.ours("owen", pixels=True, max_evaluations=500),
            peers.shap_partition(500, 10),
            "forward",
            (4, 1),
            True,
        ),
        Row(
            "owen",
            "shap",
            "PartitionExplainer, full batches",
            peers.ours("owen", pixels=True, max_evaluations=500),
            peers.shap_partition(500, BATCH),
            "forward",
            (4, 1),
            True,
        ),
        Row(
            "lime",
            "lime",
            "lime_image",
            peers.ours("lime", regions=True, max_evaluations=samples),
            peers.lime_image(samples, 10),
            "forward",
            (4, 1),
        ),
        Row(
            "lime",
            "lime",
            "lime_image, full batches",
            peers.ours("lime", regions=True, max_evaluations=samples),
            peers.lime_image(samples, BATCH),
            "forward",
            (4, 1),
        ),
    ]
