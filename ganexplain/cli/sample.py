"""``ganexplain sample``: images or rows of a generator, as files that the other commands read."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ganexplain.cli import _console
from ganexplain.cli._opening import Said, about_weights
from ganexplain.models.resolve import HELP

if TYPE_CHECKING:
    from torch import Tensor

    from ganexplain.models.table import Table


@about_weights
def run(
    model: str = typer.Argument(help=HELP),
    n: int = typer.Option(8, "--n", min=1, help="How many images or rows."),
    out: Path = typer.Option(Path("out/samples"), help="Folder for the files."),  # noqa: B008
    said: Said = Said(),  # noqa: B008
    seed: int = typer.Option(0, help="Decides the codes; a larger --n continues a smaller one."),
    overwrite: bool = typer.Option(False, "--overwrite", help="Write into a folder that holds files."),
    quiet: bool = typer.Option(False, "--quiet", help="Print nothing but errors."),
) -> None:
    """Draw images and write them as PNG files, each with its latent code as .npy beside it; rows as rows.csv."""
    from ganexplain.data.writing import write_images
    from ganexplain.models.resolve import generator_of
    from ganexplain.models.table import Table

    if out.exists() and (not out.is_dir() or any(out.iterdir())) and not overwrite:
        raise ValueError(f"{out} holds files already; say --overwrite to write beside them, or name another folder")
    generator = generator_of(model, said.spec)
    form = generator.form
    if form.name not in ("images", "table"):
        raise ValueError(f"this generator makes {form.many}, and images and rows are written; use it from Python")
    codes = generator.sample(n, seed=seed)
    if isinstance(form, Table):
        path = _table(form, generator.render(codes), out)
        _keep(codes, out / "codes.npy")
        _console.note(f"{n} rows are written to {path}, their codes beside it in codes.npy", quiet=quiet)
        return
    paths = write_images(generator.render(codes), out)
    for path, code in zip(paths, codes, strict=True):
        _keep(code, path.with_suffix(".npy"))
    _console.note(f"{len(paths)} images are written to {out}, each with its code", quiet=quiet)


def _keep(codes: Tensor, path: Path) -> None:
    import numpy as np

    from ganexplain import store

    file = io.BytesIO()
    np.save(file, codes.cpu().numpy(), allow_pickle=False)
    store.write_bytes(path, file.getvalue())


def _table(form: Table, rows: Tensor, out: Path) -> Path:
    """Write ``rows.csv``, a header and a line a row."""
    from ganexplain import store

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([list(form.names), *form.decode(rows)])
    return store.write_bytes(out / "rows.csv", text.getvalue().encode())
