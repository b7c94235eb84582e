"""``ganexplain sample``: images of a generator, as files that the other commands read."""

from __future__ import annotations

import io
from pathlib import Path

import typer

from ganexplain.cli import _console
from ganexplain.cli._opening import Said, about_weights
from ganexplain.models.resolve import HELP


@about_weights
def run(
    model: str = typer.Argument(help=HELP),
    n: int = typer.Option(8, "--n", min=1, help="How many images."),
    out: Path = typer.Option(Path("out/samples"), help="Folder for the PNG and .npy files."),  # noqa: B008
    said: Said = Said(),  # noqa: B008
    seed: int = typer.Option(0, help="Decides the codes; a larger --n continues a smaller one."),
    overwrite: bool = typer.Option(False, "--overwrite", help="Write into a folder that holds files."),
    quiet: bool = typer.Option(False, "--quiet", help="Print nothing but errors."),
) -> None:
    """Draw images from a generator and write them as PNG files, each with its latent code as .npy beside it."""
    import numpy as np

    from ganexplain import store
    from ganexplain.data.writing import write_images
    from ganexplain.models.resolve import generator_of

    if out.exists() and (not out.is_dir() or any(out.iterdir())) and not overwrite:
        raise ValueError(f"{out} holds files already; say --overwrite to write beside them, or name another folder")
    generator = generator_of(model, said.spec)
    if generator.form.name != "images":
        raise ValueError(f"this generator makes {generator.form.many}, and images are written; use it from Python")
    codes = generator.sample(n, seed=seed)
    paths = write_images(generator.render(codes), out)
    for path, code in zip(paths, codes, strict=True):
        file = io.BytesIO()
        np.save(file, code.cpu().numpy(), allow_pickle=False)
        store.write_bytes(path.with_suffix(".npy"), file.getvalue())
    _console.note(f"{len(paths)} images are written to {out}, each with its code", quiet=quiet)
