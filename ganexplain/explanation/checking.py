"""Attributions of one view and whether they can be trusted: the same for places, frequencies and latent directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from ganexplain import tensors
from ganexplain.attribution import METHODS
from ganexplain.attribution.attribution import Attribution
from ganexplain.attribution.chart import Chart
from ganexplain.evaluation import faithfulness, randomisation, trust
from ganexplain.evaluation.trust import Trust
from ganexplain.explanation.case import CALM, Case, light, method_of
from ganexplain.explanation.others import Others
from ganexplain.explanation.plan import Plan
from ganexplain.explanation.view import View
from ganexplain.models import fast, neighbours
from ganexplain.models.critic import Critic

Tell = Callable[[str], None]

LOOKS = fast.LOOKS + neighbours.LOOKS  # passes that a critic's first explanation takes


@dataclass
class Examined:
    """What is finished of a view; filled as it comes, so that an interrupt leaves it.

    Attributes:
        attributions: by method name.
        trusts: by method name.
        notes: methods that were left out, and why.
    """

    attributions: dict[str, Attribution] = field(default_factory=dict)
    trusts: dict[str, Trust] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def examine(case: Case, view: View, others: Others, into: Examined, tell: Tell) -> None:
    """Attribute by each method of the view, then check each map; ``into`` is filled step by step.

    Raises:
        ValueError: a method refuses; beside places, where not every method can work, only where all do.
    """
    for name in view.methods:
        tell(view.told(name))
        try:
            made = case.method(name, view)
            into.attributions[name] = made.attribute(view.inputs, side=case.side, seed=case.plan.seed)
        except ValueError as error:
            if not view.common or (name == view.methods[-1] and not into.attributions):
                raise
            into.notes.append(f"{name} is left out in {view.name}: {error}")
    tell(view.told("random orders"))
    orders = orders_of(case, view, chart_of(case, view))
    for name in into.attributions:
        tell(view.told(f"checks of {name}"))
        with tensors.isolated(case.plan.seed):
            into.trusts[name] = _checked(case, view, others, into.attributions, name, orders)


def steps(view: View) -> int:
    """How often `examine` tells what it does."""
    return 2 * len(view.methods) + 1


def chart_of(case: Case, view: View) -> Chart:
    """The chart whose parts are removed, in the view's coordinates, from the baseline of its first method."""
    baseline = case.start(view.methods[0]) if view.baseline is None else view.baseline
    domain = view.domain("calls", view.labels)
    return domain.bind(case.critic.fast(case.image), view.inputs, baseline)


def orders_of(case: Case, view: View, chart: Chart) -> faithfulness.Orders | None:
    """What random orders of the parts score; None of too few parts."""
    if view.count < faithfulness.FEWEST:
        return None
    seed, most = case.plan.seed, case.plan.batch_size
    with tensors.isolated(seed):
        return faithfulness.orders(chart, case.side, n_orders=view.amounts.n_orders, seed=seed, batch_size=most)


def random_maps(case: Case, view: View, name: str) -> list[Tensor] | None:
    """(P,) each, the maps of the critics with random weights; None where there are none, or too few parts."""
    critics = None if view.count < faithfulness.FEWEST else case.randomised()
    if critics is None:
        return None
    method, some, seed = case.light(name, view), critics[: view.amounts.n_randomised], case.plan.seed
    made = (method.variant(critic=other).attribute(view.inputs, side=case.side, seed=seed) for other in some)
    return [view.totals(one) for one in made]


def _checked(
    case: Case,
    view: View,
    others: Others,
    found: Mapping[str, Attribution],
    name: str,
    orders: faithfulness.Orders | None,
) -> Trust:
    attribution, parts = found[name], view.parts
    total, second = view.totals(attribution), partner(name, found)
    other = view.totals(found[second]) if second else None
    reference = case.critic.reference
    scale = reference.iqr if reference is not None else 0.0
    return Trust(
        (
            trust.contrast(attribution),
            trust.completeness(attribution, scale, 0.05),
            trust.convergence(attribution),
            trust.deletion(total, orders, parts, common=view.common),
            trust.agreement(total, other, second, case.plan.seed, parts),
            trust.randomisation(total, random_maps(case, view, name), parts),
            trust.specificity(total, others.maps(case, view, name), orders, parts=parts, common=view.common),
        )
    )


def partner(name: str, found: Mapping[str, Attribution]) -> str:
    """Another method that works in the other way: gradients against removals. Raw saliency is never a second method."""
    by_calls = METHODS.get(name).needs == "calls"
    others = {o: METHODS.get(o) for o in found}
    return next((o for o, kind in others.items() if (kind.needs == "calls") != by_calls and kind.unit == "{}"), "")


def planned(critic: Critic, view: View, others: Others) -> int:
    """The most forward passes that `examine` will use; what is shared is counted once, with the first that needs it."""
    plan, n = others.plan, view.count
    start = plan.baseline if view.baseline is None else view.baseline
    sets = faithfulness.MEMBERS if getattr(view.baseline, "n", 1) > 1 else 1
    scores = len(view.methods) * (1 + view.amounts.n_others)
    total = sets * faithfulness.planned(n, view.amounts.n_orders, seed=plan.seed, n_scores=scores)
    shuffled = n >= faithfulness.FEWEST and isinstance(critic.network, nn.Module)
    for name in view.methods:
        needs = METHODS.get(name).needs
        method = method_of(critic, plan, name, view.domain(needs, view.labels), start)
        size = n if needs == "calls" else view.labels.numel()
        total += method.passes(size)
        if shuffled:
            spare = light(method, view.amounts.light)
            spare = spare if view.spare is None else spare.variant(baseline=view.spare)
            total += view.amounts.n_randomised * spare.passes(size)
    return total + others.planned(view)


def planned_randomised(critic: Critic, plan: Plan) -> int:
    """Forward passes in which the critics with random weights are made and brought into a faster form."""
    reals = 0 if critic.reference is None else min(CALM, len(critic.reference.images))
    if not isinstance(critic.network, nn.Module):
        return 0
    return plan.amounts.n_randomised * (fast.LOOKS + randomisation.planned(critic, 2 + reals))
