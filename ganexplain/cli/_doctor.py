"""What ``ganexplain doctor`` prints and writes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ganexplain.cli import _console

if TYPE_CHECKING:
    from ganexplain.evaluation.doctor import Examination, Finding, Repair
    from ganexplain.models.about import About

COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red", "not applicable": "dim"}


@dataclass(frozen=True)
class Ends:
    """Where results go.

    Attributes:
        out: folder of the page; None for none.
        write: file of the spec; None for none.
        overwrite: replace older ones.
        as_json: print JSON.
        quiet: no word about what was written.
    """

    out: Path | None
    write: Path | None
    overwrite: bool
    as_json: bool
    quiet: bool

    def check(self) -> None:
        """Refuse what cannot be written, before anything is computed.

        Raises:
            ValueError: the spec's file exists, or the folder holds something else.
        """
        from ganexplain import folders
        from ganexplain.evaluation.doctor import page

        if self.out is not None:
            folders.check(self.out, page.FOLDER, overwrite=self.overwrite)
        if self.write is not None and self.write.exists() and not self.overwrite:
            raise ValueError(f"{self.write} exists already; name another file, or overwrite it (--overwrite)")


def check_writable(model: object) -> None:
    """Refuse to write a spec for a model that does not come from a file of weights.

    Raises:
        ValueError: it was made by a factory, whose arguments say what a spec would, or is a saved GAN.
    """
    if getattr(model, "about", None) is None:
        raise ValueError(
            "--write writes a spec for a file of weights, and this model does not come from one; run without --write "
            "and change the arguments of Critic(...) as the findings say"
        )


def finish(result: Examination, mended: Repair | None, about: About | None, ends: Ends) -> None:
    """Print what was found, and write what was asked for; a critic's spec has been tried, a generator's has not."""
    from ganexplain.evaluation.doctor import page

    after = "" if mended is None else mended.sentence
    if ends.out is not None:
        page.write(result, ends.out, overwrite=ends.overwrite, after=after)
    if ends.write is not None and about is not None:
        assumed = {key: f"assumed: {said}" for key, said in about.unknown.items()}
        found = mended or result
        found.spec(about.spec).write(ends.write, {**assumed, **found.comments})
    if ends.as_json:
        document = result.to_dict()
        if mended is not None:
            document["after"] = {"sentence": after, **mended.after.to_dict()}
        _console.emit(document)
        return
    show(result)
    if ends.write is not None:
        print(f"\nspec: {after or 'as proposed'}\n{ends.write} is written; use it with --spec {ends.write}")
    if ends.out is not None:
        _console.note(f"the page is {ends.out / 'index.html'}", quiet=ends.quiet)


def show(result: Examination) -> None:
    """Print the findings, as a table where somebody looks."""
    first = result.findings[0]
    if first.name == "runs" and first.status == "fail":
        print(f"{first.sentence}\n{first.advice}\ncritic: {result.model}")
        print(f"images: {result.n_real} real, {result.n_fake} fake; the other checks need a critic that runs")
        return
    print(f"{result.subject}: {result.model}\nimages: {result.n_real} real, {result.n_fake} fake\n")
    if sys.stdout.isatty():
        _table(result)
    else:
        _lines(result)
    if result.methods:
        print(f"\nmethods that work: {', '.join(result.methods)}")
    for key, (value, finding) in result.proposals.items():
        print(f"proposed: {key} = {value!r} ({finding.certainty}: {finding.evidence})")
    print(f"\n{result.summary}")


def _told(result: Examination) -> list[Finding]:
    """The findings but for methods that work, which one line lists."""
    return [f for f in result.findings if f.status != "ok" or not f.name.startswith("method ")]


def _lines(result: Examination) -> None:
    for finding in _told(result):
        value = "" if finding.value is None else f"{finding.value:.4g}"
        print(f"{finding.name:28} {finding.status:15} {value:>9}  {finding.sentence}")
        if finding.advice:
            print(f"{'':54}  -> {finding.advice}")


def _table(result: Examination) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("check", "status", "value", "what was seen, and what to do", show_lines=False)
    for finding in _told(result):
        value = "" if finding.value is None else f"{finding.value:.4g}"
        text = Text(finding.sentence)
        if finding.advice:
            text.append(f"\n{finding.advice}", style="bold")
        table.add_row(finding.name, Text(finding.status, style=COLOURS[finding.status]), value, text)
    Console().print(table)
