"""How pytorch-grad-cam is asked: with a target as its documentation has them, a function of one image's output.

grad-cam imports torchvision. Where torchvision's compiled operators do not fit the installed torch (a CPU build), they
are declared without being there, since grad-cam calls none of them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benchmarks._zoo.case import AbsentError, Call, Question

_DECLARED: list[Any] = []  # the library object must live as long as its operators


def imported() -> Any:
    """The package.

    Raises:
        AbsentError: it, or what it imports, is not installed.
    """
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        if not _DECLARED:
            library = torch.library.Library("torchvision", "DEF")
            for name in ("nms", "qnms"):
                library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            _DECLARED.append(library)
    except ImportError:
        raise AbsentError("not importable without torchvision") from None
    try:
        import pytorch_grad_cam
    except ImportError as error:
        raise AbsentError(f"not importable: {error}") from None
    return pytorch_grad_cam


def cam(q: Question) -> Tensor:
    """(N, H, W) in [0, 1]."""
    package = imported()
    made = package.GradCAM(model=q.network, target_layers=[q.network.get_submodule(q.layer)])
    given = q.options.get("cam_target")
    if given is not None:
        from pytorch_grad_cam.utils.model_targets import BinaryClassifierOutputTarget

        targets: Any = [BinaryClassifierOutputTarget(given)] * len(q.images)
    elif q.reduce is not None:
        reduce = q.reduce
        targets = [lambda out: reduce(out[None])] * len(q.images)
    else:
        targets = None
    return torch.from_numpy(made(input_tensor=q.images, targets=targets))


CALLS = {"cam": Call("GradCAM(model=net, target_layers=[layer])(input_tensor=x, targets=...)", cam)}
