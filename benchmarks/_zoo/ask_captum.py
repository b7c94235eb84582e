"""How captum is asked, in the words of its API reference and tutorials.

Where a network returns a patch map, its segmentation tutorial wraps the network in a function that reduces the map to
one number; the calls do so where a question has such a function.
"""

from __future__ import annotations

import io
from typing import Any

import torch
from torch import Tensor

from benchmarks._zoo.case import Call, Question, segments_of


def _forward(question: Question) -> tuple[Any, Any]:
    """The function to explain, and the target to give with it."""
    net, reduce = question.network, question.reduce
    return (net, question.target) if reduce is None else (lambda x: reduce(net(x)), None)


def gradient(q: Question) -> Tensor:
    from captum.attr import Saliency

    forward, target = _forward(q)
    return Saliency(forward).attribute(q.images.clone().requires_grad_(), target=target)


def signed(q: Question) -> Tensor:
    from captum.attr import Saliency

    forward, target = _forward(q)
    return Saliency(forward).attribute(q.images.clone().requires_grad_(), target=target, abs=False)


def path(q: Question) -> Tensor:
    from captum.attr import IntegratedGradients

    forward, target = _forward(q)
    given = {} if q.options.get("default_baseline") else {"baselines": q.baseline}
    size = q.options.get("batch")
    return IntegratedGradients(forward).attribute(q.images, target=target, internal_batch_size=size, **given)


def expected(q: Question) -> Tensor:
    from captum.attr import GradientShap

    forward, target = _forward(q)
    return GradientShap(forward).attribute(q.images, q.baseline, n_samples=50, target=target)


def rescale(q: Question) -> Tensor:
    from captum.attr import DeepLift

    return DeepLift(q.network).attribute(q.images, q.baseline, target=q.target)


def smooth(q: Question) -> Tensor:
    from captum.attr import NoiseTunnel, Saliency

    return NoiseTunnel(Saliency(q.network)).attribute(q.images, nt_samples=20, nt_type="smoothgrad", target=q.target)


def guided(q: Question) -> Tensor:
    from captum.attr import GuidedBackprop

    return GuidedBackprop(q.network).attribute(q.images.clone().requires_grad_(), target=q.target)


def cam(q: Question) -> Tensor:
    from captum.attr import LayerAttribution, LayerGradCam

    layer = q.network.get_submodule(q.layer)
    found = LayerGradCam(q.network, layer).attribute(q.images, target=q.target)
    return LayerAttribution.interpolate(found, tuple(q.images.shape[-2:]))


def per_segment(q: Question, values: Tensor) -> Tensor:
    """(N, P): captum writes a feature's value on each of its pixels."""
    first = [int((segments_of(q).flatten() == k).nonzero()[0]) for k in range(int(segments_of(q).max()) + 1)]
    return values.reshape(len(q.images), -1)[:, first]


def shapley(q: Question) -> Tensor:
    from captum.attr import KernelShap

    forward, target = _forward(q)
    mask = None if q.segments is None else q.segments[None, None]
    budget = {"n_samples": q.options["budget"], "perturbations_per_eval": 50} if "budget" in q.options else {}
    found = [
        KernelShap(forward).attribute(x[None], q.baseline, target=target, feature_mask=mask, **budget) for x in q.images
    ]
    return per_segment(q, torch.cat(found))


def permutation(q: Question) -> Tensor:
    from captum.attr import ShapleyValueSampling

    forward, target = _forward(q)
    mask = None if q.segments is None else q.segments[None, None]
    found = ShapleyValueSampling(forward).attribute(
        q.images, q.baseline, target=target, feature_mask=mask, n_samples=50
    )
    return found if mask is None else per_segment(q, found)


def exact(q: Question) -> Tensor:
    from captum.attr import ShapleyValues

    forward, target = _forward(q)
    found = ShapleyValues(forward).attribute(
        q.images, q.baseline, target=target, feature_mask=segments_of(q)[None, None]
    )
    return per_segment(q, found)


def picture(q: Question) -> bytes:
    from captum.attr import visualization

    values, image = path(q)[0], q.images[0]
    arrays = (values.detach().permute(1, 2, 0).numpy(), image.permute(1, 2, 0).detach().numpy())
    figure, _ = visualization.visualize_image_attr(*arrays, method="heat_map", sign="all", use_pyplot=False)
    target = io.BytesIO()
    figure.savefig(target, format="png")
    return target.getvalue()


def score(q: Question) -> Tensor:
    """(2,) infidelity of a map and of ten times that map, as in the documentation's example."""
    from captum.metrics import infidelity

    def perturb(x: Tensor) -> tuple[Tensor, Tensor]:
        noise = 0.3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
        return noise, x - noise

    values = path(q)
    return torch.stack([infidelity(q.network, perturb, q.images, k * values, target=q.target)[0] for k in (1, 10)])


def _words(method: str, more: str = "") -> str:
    return f"{method}(net).attribute(x, baselines=b, target=0{more})"


CALLS = {
    "gradient": Call("Saliency(net).attribute(x, target=0)", gradient),
    "signed": Call("Saliency(net).attribute(x, target=0, abs=False)", signed),
    "path": Call(_words("IntegratedGradients", ", internal_batch_size=64 where memory is asked about"), path),
    "expected": Call(_words("GradientShap", ", n_samples=50"), expected),
    "rescale": Call(_words("DeepLift"), rescale),
    "smooth": Call("NoiseTunnel(Saliency(net)).attribute(x, nt_samples=20, target=0)", smooth),
    "guided": Call("GuidedBackprop(net).attribute(x, target=0)", guided),
    "cam": Call("LayerGradCam(net, layer).attribute(x, target=0), then LayerAttribution.interpolate", cam),
    "shapley": Call(_words("KernelShap", ", feature_mask=m"), shapley),
    "permutation": Call(_words("ShapleyValueSampling", ", feature_mask=m, n_samples=50"), permutation),
    "exact": Call(_words("ShapleyValues", ", feature_mask=m"), exact),
    "error": Call(_words("KernelShap", ", feature_mask=m"), lambda q: (shapley(q), None)),
    "picture": Call("visualization.visualize_image_attr(values, image, sign='all', use_pyplot=False)", picture),
    "score": Call("infidelity(net, perturb, x, values, target=0)", score),
}
