"""``ganexplain sample``: images of a generator, as files that the other commands read."""

from __future__ import annotations

from pathlib import Path

import typer

from ganexplain.cli import _console
from ganexplain.cli._opening import Said, about_weights
from ganexplain.models.resolve import HELP


@about_weights
def run(
    model: str = typer.Argument(help=HELP),
    n: int = typer.Option(8, "--n", min=1, help="How many images."),
    out: Path = typer.Option(Path("out/samples"), help="Folder for the PNG files."),  # noqa: B008
    said: Said = Said(),  # noqa: B008
    seed: int = typer.Option(0, help="Decides the codes; a larger --n continues a smaller one."),
    overwrite: bool = typer.Option(False, "--overwrite", help="Write into a folder that holds files."),
    quiet: bool = typer.Option(False, "--quiet", help="Print nothing but errors."),
) -> None:
    """Draw images from a generator and write them as PNG files."""
    from ganexplain.data.writing import write_images
    from ganexplain.models.resolve import generator_of

    if out.exists() and (not out.is_dir() or any(out.iterdir())) and not overwrite:
        raise ValueError(f"{out} holds files already; say --overwrite to write beside them, or name another folder")
    generator = generator_of(model, said.spec)
    if generator.form.name != "images":
        raise ValueError(f"this generator makes {generator.form.many}, and images are written; use it from Python")
    paths = write_images(generator.render(generator.sample(n, seed=seed)), out)
    _console.note(f"{len(paths)} images are written to {out}", quiet=quiet)
