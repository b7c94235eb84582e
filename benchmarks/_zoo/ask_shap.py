"""How shap is asked: deep and gradient explainers on the module, kernel and partition on a function of arrays.

The function for Kernel SHAP switches segments off as in the documentation's example "Explain ImageNet VGG16 with
superpixels"; the image masker gets channels last as in its own.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks._zoo.case import Call, Question, segments_of


def _column(q: Question, values: Any) -> Any:
    """Of several outputs, which come as the last axis, the one that is asked about."""
    several = values.ndim == q.images.ndim + 1 and values.shape[-1] > 1
    return values[..., q.target] if several else values


def path(q: Question) -> Any:
    import shap

    return _column(q, shap.GradientExplainer(q.network, q.baseline).shap_values(q.images))


def expected(q: Question) -> Any:
    import shap

    return shap.GradientExplainer(q.network, q.baseline).shap_values(q.images, rseed=q.seed)


def rescale(q: Question) -> Any:
    import shap

    return _column(q, shap.DeepExplainer(q.network, q.baseline).shap_values(q.images))


def _switched(q: Question, image: Tensor) -> Callable[[Any], Any]:
    """Arrays (M, P) of segments that are on, to the network's output."""
    labels = segments_of(q)

    def outputs(on: Any) -> Any:
        keep = torch.from_numpy(np.asarray(on) > 0)[:, labels][:, None]
        with torch.no_grad():
            return q.network(torch.where(keep, image, q.baseline[0])).numpy()

    return outputs


def _ends(q: Question) -> tuple[Any, Any]:
    n = int(segments_of(q).max()) + 1
    return np.zeros((1, n)), np.ones((1, n))


def shapley(q: Question) -> Tensor:
    import shap

    none, all_ = _ends(q)
    budget = {"nsamples": q.options["budget"]} if "budget" in q.options else {}
    found = [
        np.asarray(shap.KernelExplainer(_switched(q, x), none).shap_values(all_, silent=True, **budget)).reshape(-1)
        for x in q.images
    ]
    return torch.from_numpy(np.stack(found))


def permutation(q: Question) -> Tensor:
    import shap

    none, all_ = _ends(q)
    budget = {"max_evals": q.options["budget"]} if "budget" in q.options else {}
    found = [
        np.asarray(shap.PermutationExplainer(_switched(q, x), none)(all_, silent=True, **budget).values).reshape(-1)
        for x in q.images
    ]
    return torch.from_numpy(np.stack(found))


def exact(q: Question) -> Tensor:
    import shap

    none, all_ = _ends(q)
    found = [np.asarray(shap.ExactExplainer(_switched(q, x), none)(all_).values).reshape(-1) for x in q.images]
    return torch.from_numpy(np.stack(found))


def partition(q: Question) -> Tensor:
    """(N, C, H, W), from channels last."""
    import shap

    arrays = q.images.permute(0, 2, 3, 1).numpy()

    def outputs(batch: Any) -> Any:
        with torch.no_grad():
            return q.network(torch.from_numpy(np.asarray(batch)).float().permute(0, 3, 1, 2)).numpy()

    masker = shap.maskers.Image(q.baseline[0].permute(1, 2, 0).numpy(), arrays[0].shape)
    values = shap.PartitionExplainer(outputs, masker)(arrays, max_evals=500, silent=True).values
    return torch.from_numpy(np.asarray(values).reshape(arrays.shape)).permute(0, 3, 1, 2)


def picture(q: Question) -> bytes:
    import matplotlib.pyplot as plt
    import shap

    values = np.asarray(path(q)).reshape(tuple(q.images.shape)).transpose(0, 2, 3, 1)
    shap.image_plot(values, q.images.permute(0, 2, 3, 1).numpy(), show=False)
    target = io.BytesIO()
    plt.gcf().savefig(target, format="png")
    plt.close("all")
    return target.getvalue()


CALLS = {
    "path": Call("GradientExplainer(net, b).shap_values(x)", path),
    "expected": Call("GradientExplainer(net, b).shap_values(x, rseed=0)", expected),
    "rescale": Call("DeepExplainer(net, b).shap_values(x)", rescale),
    "shapley": Call("KernelExplainer(f, zeros).shap_values(ones), f switching segments on", shapley),
    "permutation": Call("PermutationExplainer(f, zeros)(ones), f switching segments on", permutation),
    "exact": Call("ExactExplainer(f, zeros)(ones), f switching segments on", exact),
    "partition": Call("PartitionExplainer(f, maskers.Image(b, shape))(x, max_evals=500)", partition),
    "error": Call("KernelExplainer(f, zeros).shap_values(ones)", lambda q: (shapley(q), None)),
    "picture": Call("image_plot(values, x, show=False)", picture),
}
