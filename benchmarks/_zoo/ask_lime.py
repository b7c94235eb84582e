"""How lime is asked: a grey image as a two-dimensional array, which its documentation turns into a colour image.

The function that it calls takes the mean of the three equal channels and returns what the network returns; one number
an image is asked for as label 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks._zoo.case import Call, Question


def _function(q: Question) -> Any:
    def outputs(batch: Any) -> Any:
        grey = torch.from_numpy(np.asarray(batch)).float().mean(-1)[:, None]
        with torch.no_grad():
            return q.network(grey).numpy()

    return outputs


def slopes(q: Question, explainer: Any = None) -> Tensor:
    from lime.lime_image import LimeImageExplainer

    explainer = explainer or LimeImageExplainer(random_state=q.seed)
    labels = q.segments
    given = {} if labels is None else {"segmentation_fn": lambda _: labels.numpy()}
    rows = []
    for x in q.images:
        image = x[0].double().numpy()
        found = explainer.explain_instance(
            image, _function(q), labels=(0,), top_labels=None, hide_color=-1, random_seed=q.seed, **given
        )
        by_label = dict(found.local_exp[0])
        rows.append(torch.tensor([float(by_label[k]) for k in sorted(by_label)]))
    most = max(len(row) for row in rows)
    return torch.stack([torch.nn.functional.pad(row, (0, most - len(row))) for row in rows])


WORDS = "explain_instance(image, f, labels=(0,), top_labels=None, hide_color=-1)"
CALLS = {"slopes": Call(f"LimeImageExplainer().{WORDS}", slopes)}
