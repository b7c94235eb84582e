"""``ganexplain doctor``: is this critic read as it was trained, does it tell real from fake, what can explain it?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganexplain.cli import _console
from ganexplain.cli._opening import LabelOption, LayoutOption, NetworkOption, SpecOption
from ganexplain.models.resolve import HELP

if TYPE_CHECKING:
    from torch import Tensor

    from ganexplain.evaluation.doctor import Examination
    from ganexplain.models.critic import Critic

COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red", "not applicable": "dim"}


def run(
    model: str = typer.Argument(..., help=HELP),
    real: Annotated[Path | None, typer.Option(help="Real images, a folder or a file. A GAN has its own.")] = None,
    fake: Annotated[Path | None, typer.Option(help="Fakes, a folder or a file. A GAN makes its own.")] = None,
    limit: int = typer.Option(200, min=1, help="Most images of a kind, spread evenly over the sorted names."),
    tiles: str | None = typer.Option(None, metavar="SIZE,PADDING", help="Cut sheets of samples, such as 28,2."),
    which: str = typer.Option("judge", "--critic", help="Which critic of a GAN: judge or discriminator."),
    layout: LayoutOption = "",
    network: NetworkOption = "",
    label: LabelOption = None,
    spec: SpecOption = None,
    batch_size: int = typer.Option(64, min=1, help="Most images in one forward pass."),
    seed: int = typer.Option(0, help="Seed of samples and noise."),
    quiet: bool = typer.Option(False, "--quiet", "-q", help="No progress bar."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Examine a critic before it is explained. Exit code 0: no failure, 1: a failure was found, 2: bad input."""
    from ganexplain import tensors
    from ganexplain.cli._opening import spec_of
    from ganexplain.evaluation.doctor import examine
    from ganexplain.models.gan import GAN
    from ganexplain.models.resolve import critic_of, resolve

    found = resolve(model, spec_of(layout, network, label, spec), "discriminator")
    if isinstance(found, GAN) and which not in found.critics:
        which = found.critics[0] if which == "judge" else which  # a GAN that has no judge yet
    critic = critic_of(found, which)
    sheet = None if tiles is None else _tile(tiles)
    reals = None if real is None else _read(real, critic, limit, sheet)
    fakes = None if fake is None else _read(fake, critic, limit, sheet)
    if isinstance(found, GAN):
        if reals is None and found.reals is not None:
            reals = tensors.from_uint8(found.reals[:limit])
        fakes = found.samples(min(limit, 200), seed=seed) if fakes is None else fakes
    if reals is None and fakes is None:
        raise ValueError("a critic is examined on images: give --real and --fake, a folder or a file each")
    with _console.progress("examining", quiet=quiet) as advance:
        result = examine(critic, real=reals, fake=fakes, batch_size=batch_size, seed=seed, advance=advance)
    if as_json:
        _console.emit(result.to_dict())
    else:
        _show(result)
    if result.failed:
        raise typer.Exit(1)


def _tile(words: str) -> tuple[int, int]:
    size, comma, padding = words.partition(",")
    if not size.strip().isdecimal() or (comma and not padding.strip().isdecimal()):
        raise ValueError(f"--tiles takes SIZE,PADDING in pixels, such as 28,2, got {words!r}")
    return int(size), int(padding or 0)


def _read(path: Path, critic: Critic, limit: int, sheet: tuple[int, int] | None) -> Tensor:
    """Images as they are, so that the critic resizes them itself; only files of several sizes are resized here."""
    import torch

    from ganexplain.data.images import expand, read_image
    from ganexplain.data.tiles import cut
    from ganexplain.models.preprocess import resized

    reads, files = critic.preprocess, expand([path])
    if sheet is not None:
        sheets = [cut(read_image(file, channels=reads.channels), *sheet) for file in files]
        return torch.cat(sheets)[:limit]
    chosen = [files[i * len(files) // limit] for i in range(limit)] if limit < len(files) else files
    images = [read_image(file, channels=reads.channels) for file in chosen]
    shapes = sorted({tuple(image.shape[1:]) for image in images})
    if len({shape[0] for shape in shapes}) > 1:
        raise ValueError(
            f"{path} holds grey and colour images, and the model does not say which it reads; convert them"
        )
    if len(shapes) > 1 and reads.shape is None:
        said = " and ".join(f"{w}x{h}" for _, h, w in (shapes[0], shapes[-1]))
        raise ValueError(
            f"{path} holds images of several sizes ({said}), and the model declares none; resize them first"
        )
    if len(shapes) > 1 and reads.shape is not None:
        images = [
            image if image.shape[2:] == reads.shape else resized(image, reads.shape, reads.resize) for image in images
        ]
    return torch.cat(images).clamp(-1, 1)


def _show(result: Examination) -> None:
    runs = result["runs"]
    if runs.status == "fail":
        print(f"{runs.sentence}\n{runs.advice}\ncritic: {result.model}")
        print(f"images: {result.n_real} real, {result.n_fake} fake; the other checks need a critic that runs")
        return
    print(f"critic: {result.model}\nimages: {result.n_real} real, {result.n_fake} fake\n")
    if sys.stdout.isatty():
        _table(result)
    else:
        for finding in result.findings:
            value = "" if finding.value is None else f"{finding.value:.4g}"
            print(f"{finding.name:28} {finding.status:15} {value:>9}  {finding.sentence}")
            if finding.advice:
                print(f"{'':54}  -> {finding.advice}")
    print(f"\n{result.summary}")


def _table(result: Examination) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("check", "status", "value", "what was seen, and what to do", show_lines=False)
    for finding in result.findings:
        value = "" if finding.value is None else f"{finding.value:.4g}"
        text = finding.sentence + (f"\n[bold]{finding.advice}[/bold]" if finding.advice else "")
        style = COLOURS[finding.status]
        table.add_row(finding.name, f"[{style}]{finding.status}[/{style}]", value, text)
    Console().print(table)
