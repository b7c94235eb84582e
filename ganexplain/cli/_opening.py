"""The options that say what a file of weights does not, for every command that reads one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    str, typer.Option("--label", help="Class of a conditional network, by number or name.", rich_help_panel=PANEL)
]
SpecOption = Annotated[
    Path | None, typer.Option("--spec", help="TOML file of what the weights do not say.", rich_help_panel=PANEL)
]
OPTIONS: dict[str, tuple[Any, Any]] = {
    "layout": (LayoutOption, ""),
    "network": (NetworkOption, ""),
    "label": (LabelOption, ""),
    "spec": (SpecOption, None),
}


@dataclass(frozen=True)
class Said:
    """What was said about a file of weights."""

    layout: str = ""
    network: str = ""
    label: str = ""
    path: Path | None = None

    @property
    def spec(self) -> Spec | None:
        """It as a spec; None where nothing was said."""
        from ganexplain.models.spec import said

        if self == Said():
            return None
        return said(self.path, layout=self.layout or None, network=self.network or None, label=self._label)

    @property
    def _label(self) -> int | str | None:
        """A number where it looks like one, though a class may be called so: numbers are known of every network."""
        text = self.label.strip()
        return int(text) if text.removeprefix("-").isdecimal() else text or None

    @property
    def words(self) -> dict[str, object]:
        """The options as they were given, for the command that a report quotes."""
        return {"--layout": self.layout, "--network": self.network, "--label": self.label, "--spec": self.path}


def filled(
    name: str, kind: Callable[..., Any], options: Mapping[str, tuple[Any, Any]]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """What makes a command of a function whose parameter ``name`` is filled by options that stand in its place.

    Args:
        name: of the parameter.
        kind: makes its value of the options, in their order.
        options: annotation and default by name.
    """

    def command_of(run: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(run, eval_str=True)

        @functools.wraps(run)
        def command(**given: Any) -> None:
            values = [given.pop(option) for option in options]
            run(**given, **{name: kind(*values)})

        kept = [p for p in signature.parameters.values() if p.name != name]
        only = inspect.Parameter.KEYWORD_ONLY
        own = [inspect.Parameter(n, only, default=default, annotation=a) for n, (a, default) in options.items()]
        listed = [*(p.replace(kind=only) for p in kept), *own]
        del command.__wrapped__  # typer would read the options of the function inside
        vars(command)["__signature__"] = signature.replace(parameters=listed)
        command.__annotations__ = {p.name: p.annotation for p in listed} | {"return": None}
        return command

    return command_of


about_weights = filled("said", Said, OPTIONS)
