"""How ganexplain is asked."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from benchmarks._zoo.case import AbsentError, Call, Question
from ganexplain import Critic, Region
from ganexplain.attribution import METHODS
from ganexplain.attribution.attribution import Attribution

METHOD = {
    "gradient": "saliency",
    "signed": "saliency",
    "path": "integrated_gradients",
    "expected": "expected_gradients",
    "rescale": "deep_lift",
    "shapley": "kernel_shap",
    "exact": "kernel_shap",
    "permutation": "permutation_shapley",
    "partition": "owen",
    "slopes": "lime",
    "cam": "grad_cam",
    "guided": "guided_backprop",
    "smooth": "smoothgrad",
}
REGIONS = ("shapley", "exact", "permutation", "partition", "slopes")
BUDGETED = ("shapley", "permutation", "partition", "slopes", "expected")


def method(ask: str, question: Question) -> Any:
    """The method, wired as the question says.

    Raises:
        AbsentError: there is no such method.
    """
    name = METHOD[ask]
    if name not in METHODS.names():
        raise AbsentError(f"there is no method {name}")
    critic = Critic(question.network, **question.declared)
    given: dict[str, Any] = {"baseline": question.options.get("baseline", question.baseline)}
    if ask in REGIONS:
        given["domain"] = Region() if question.segments is None else Region(question.segments)
    if ask in BUDGETED and "budget" in question.options:
        given["max_evaluations"] = question.options["budget"]
    if ask == "cam":
        given["layer"] = question.layer
    return METHODS.get(name)(critic, **given)


def explained(ask: str, question: Question) -> Attribution:
    """The attribution; warnings about baselines are not what the zoo is about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        side = question.options.get("side", "real")
        found: Attribution = method(ask, question).attribute(question.images, side=side, seed=question.seed)
    return found


def values(ask: str, question: Question) -> Tensor:
    """(N, C, H, W) values, (N, P) totals of regions, or (N, H, W) of a class activation map."""
    found = explained(ask, question)
    if ask in REGIONS and not question.options.get("as_map"):
        return found.totals()
    return found.heatmap() if ask == "cam" else found.values


def picture(question: Question) -> bytes:
    """The figure of integrated gradients, as PNG."""
    import io

    target = io.BytesIO()
    explained("path", question).plot().savefig(target, format="png")
    return target.getvalue()


def deletion(question: Question) -> Tensor:
    """(2,) the insertion and deletion score of a map and of ten times that map."""
    from ganexplain.evaluation import faithfulness

    labels = question.segments
    found = explained("shapley", question)
    chart = Region(labels).bind(Critic(question.network), question.images, question.baseline)
    orders = faithfulness.orders(chart, "real", n_orders=20, seed=0)
    total = found.totals()[0]
    return torch.tensor([orders.score(scale * total) for scale in (1, 10)])


def _call(ask: str) -> Call:
    words = f"METHODS.get({METHOD[ask]!r})(Critic(net, ...), baseline=b).attribute(x, side='real')"
    return Call(words, lambda question: values(ask, question))


CALLS: dict[str, Call] = {ask: _call(ask) for ask in METHOD}
CALLS["error"] = Call(
    "KernelShap(critic, domain=Region(mask)).attribute(x) with .error", lambda q: _with_error(explained("shapley", q))
)
CALLS["picture"] = Call("IntegratedGradients(critic).attribute(x).plot().savefig(...)", picture)
CALLS["score"] = Call("faithfulness of a map and of ten times that map", deletion)


def _with_error(found: Attribution) -> tuple[Tensor, Tensor | None]:
    return found.totals(), found.error
