"""The options that say what a file of weights does not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ganexplain.models.spec import Spec

PANEL = "A file of weights"

LayoutOption = Annotated[
    str, typer.Option("--layout", help="How its network is built; default: recognised.", rich_help_panel=PANEL)
]
NetworkOption = Annotated[
    str, typer.Option("--network", help="Its name in a file of several networks.", rich_help_panel=PANEL)
]
LabelOption = Annotated[
    int | None, typer.Option("--label", min=0, help="Class for a conditional network.", rich_help_panel=PANEL)
]
SpecOption = Annotated[
    Path | None, typer.Option("--spec", help="TOML file of what the weights do not say.", rich_help_panel=PANEL)
]


def spec_of(layout: str, network: str, label: int | None, spec: Path | None) -> Spec | None:
    """What was said about a file of weights; None where nothing was."""
    from ganexplain.models.spec import said

    if not layout and not network and label is None and spec is None:
        return None
    return said(spec, layout=layout or None, network=network or None, label=label)


def words(layout: str, network: str, label: int | None, spec: Path | None) -> dict[str, object]:
    """The options as they were given, for the command that a report quotes."""
    return {"--layout": layout, "--network": network, "--label": None if label is None else str(label), "--spec": spec}
