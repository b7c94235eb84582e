"""Explain a GAN: why an image was judged fake, which latent directions mean something, and a report to hand on."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# names that are imported when first used: `import ganexplain` loads neither torch nor any explainer library
_HOMES = {
    "GAN": "ganexplain.models.gan",
    "bundled": "ganexplain.models.gan",
    "Generator": "ganexplain.models.generator",
    "Critic": "ganexplain.models.critic",
    "patch_map": "ganexplain.models.patches",
    "Preprocess": "ganexplain.models.preprocess",
    "Table": "ganexplain.models.table",
    "Signal": "ganexplain.models.signal",
    "Verdict": "ganexplain.models.verdict",
    "invert": "ganexplain.models.search",
    "Calibration": "ganexplain.models.verdict",
    "Attribution": "ganexplain.attribution.attribution",
    "Chart": "ganexplain.attribution.chart",
    "Domain": "ganexplain.attribution.chart",
    "Pixel": "ganexplain.attribution.domains.pixel",
    "Region": "ganexplain.attribution.domains.region",
    "Feature": "ganexplain.attribution.domains.feature",
    "Window": "ganexplain.attribution.domains.window",
    "Latent": "ganexplain.attribution.domains.latent",
    "Frequency": "ganexplain.attribution.domains.frequency",
    "Saliency": "ganexplain.attribution.methods.saliency",
    "IntegratedGradients": "ganexplain.attribution.methods.integrated_gradients",
    "KernelShap": "ganexplain.attribution.methods.kernel_shap",
    "PermutationShapley": "ganexplain.attribution.methods.permutation_shapley",
    "Owen": "ganexplain.attribution.methods.owen",
    "Lime": "ganexplain.attribution.methods.lime",
    "Occlusion": "ganexplain.attribution.methods.occlusion",
    "GradCam": "ganexplain.attribution.methods.grad_cam",
    "HiResCam": "ganexplain.attribution.methods.hires_cam",
    "LayerCam": "ganexplain.attribution.methods.layer_cam",
    "Rise": "ganexplain.attribution.methods.rise",
    "InputXGradient": "ganexplain.attribution.methods.input_x_gradient",
    "SmoothGrad": "ganexplain.attribution.methods.smoothgrad",
    "VarGrad": "ganexplain.attribution.methods.vargrad",
    "ExpectedGradients": "ganexplain.attribution.methods.expected_gradients",
    "DeepLift": "ganexplain.attribution.methods.deep_lift",
    "GuidedBackprop": "ganexplain.attribution.methods.guided_backprop",
    "GuidedIntegratedGradients": "ganexplain.attribution.methods.guided_integrated_gradients",
    "BlurIntegratedGradients": "ganexplain.attribution.methods.blur_integrated_gradients",
    "Xrai": "ganexplain.attribution.methods.xrai",
    "Counterfactual": "ganexplain.attribution.counterfactuals",
    "PixelL2": "ganexplain.attribution.counterfactuals.pixel_l2",
    "PixelL1": "ganexplain.attribution.counterfactuals.pixel_l1",
    "Bands": "ganexplain.attribution.counterfactuals.bands",
    "Regions": "ganexplain.attribution.counterfactuals.regions",
    "LatentChange": "ganexplain.attribution.counterfactuals.latent_change",
    "Directions": "ganexplain.latent.directions",
    "SeFa": "ganexplain.latent.finders.sefa",
    "GanSpace": "ganexplain.latent.finders.ganspace",
    "Jacobian": "ganexplain.latent.finders.jacobian",
    "Boundary": "ganexplain.latent.finders.boundary",
    "Comparison": "ganexplain.latent.comparison",
    "compare": "ganexplain.latent.comparison",
    "explain": "ganexplain.explanation",
    "Explanation": "ganexplain.explanation",
    "Explainer": "ganexplain.explanation",
    "Plan": "ganexplain.explanation",
    "Report": "ganexplain.report.report",
    "read_image": "ganexplain.data.images",
    "write_images": "ganexplain.data.writing",
    "Spec": "ganexplain.models.spec",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ganexplain' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
