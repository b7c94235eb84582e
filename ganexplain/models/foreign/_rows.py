"""Chains of linear layers that read or make rows of a table."""

from __future__ import annotations

from dataclasses import replace

from ganexplain.models.foreign import _found
from ganexplain.models.foreign._layout import Found
from ganexplain.models.foreign._stack import Stack
from ganexplain.models.spec import ImageSpec, Spec


def found(stack: Stack, layout: str, spec: Spec, *, score: float, wasserstein: bool) -> Found:
    """The chain on rows (N, F), whose features are numbered where the spec does not name them.

    Raises:
        ValueError: the spec names another number of columns than the chain has.
    """
    judges = stack.role == "discriminator"
    features = stack.into if judges else stack.out
    named = spec if spec.table or spec.signal else spec.over(Spec(table={"names": _numbered(features)}))
    form = named.form()
    columns = len(getattr(form, "columns", ())) or features
    if columns != features:
        raise ValueError(f"[table] names {columns} columns, and the network has {features}; name all of them, in order")
    if judges:
        made = _found.found_discriminator(stack, layout, named, wasserstein=wasserstein, score=score)
    else:
        made = _found.found_generator(stack, layout, named, score=score)
    own = {key: why for key, why in made.unknown.items() if not key.startswith("images.")}
    if not spec.table and not spec.signal:
        own["table.names"] = f"{features} features, numbered; [table] names = [...], and mean and std or low and high"
    elif spec.table.keys() & {"mean", "low"} == set():
        own["table.mean"] = "rows are read as they are; [table] mean and std, or low and high"
    lines = tuple(line for line in made.lines if not line.startswith("images"))
    rows = f"rows of {features} numbers"
    lines = (rows, *lines) if judges else (*lines, rows)
    return replace(made, lines=lines, unknown=own, spec=replace(made.spec, images=ImageSpec()))


def _numbered(features: int) -> list[str]:
    return [f"feature {i + 1}" for i in range(features)]
