"""``ganexplain training-report``: how a training goes or went, as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that was given to train as --out.")],
    out: Annotated[Path | None, typer.Option(help="File of the page; default: training.html in the folder.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is no such page.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors and JSON.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print verdict and last numbers as JSON.")] = False,
) -> None:
    """Show how a training goes, also while it does: verdict, curves with the bounds of health, samples over time."""
    from ganexplain.cli._console import emit
    from ganexplain.report.training.page import PAGE, TrainingReport, check, save

    place = folder / PAGE if out is None else out
    report = TrainingReport.of(folder)
    check(place, overwrite=overwrite)
    page = save(report, place, overwrite=overwrite)
    if as_json:
        emit(report.document)
    elif not quiet:
        print(f"{report.document['title']}. {report.document['state']}")
        print(page)
