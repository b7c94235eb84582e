"""``ganexplain doctor``: is this critic read as it was trained, does it tell real from fake, what can explain it?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganexplain.cli import _console, _doctor
from ganexplain.cli._opening import Said, about_weights
from ganexplain.models.resolve import HELP

if TYPE_CHECKING:
    from torch import Tensor

    from ganexplain.evaluation.doctor import Examination, Repair
    from ganexplain.models.critic import Critic
    from ganexplain.models.generator import Generator
    from ganexplain.models.resolve import Model


@about_weights
def run(
    model: str = typer.Argument(..., help=HELP),
    real: Annotated[Path | None, typer.Option(help="Real images, a folder or a file. A GAN has its own.")] = None,
    fake: Annotated[
        Path | None, typer.Option(help="Fakes: a folder, a file, or a generator's weights. A GAN makes its own.")
    ] = None,
    limit: int = typer.Option(200, min=1, help="Most images of a kind, spread evenly over the sorted names."),
    tiles: str | None = typer.Option(None, metavar="SIZE,PADDING", help="Cut sheets of samples, such as 28,2."),
    which: str = typer.Option("judge", "--critic", help="Which critic of a GAN: judge or discriminator."),
    said: Said = Said(),  # noqa: B008
    write: Annotated[
        Path | None, typer.Option("--write", help="Write what was found as a spec for --spec, and examine again.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for a page with figures.")] = None,
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace an older spec or page."),
    batch_size: int = typer.Option(64, min=1, help="Most images in one forward pass."),
    seed: int = typer.Option(0, help="Seed of samples and noise."),
    quiet: bool = typer.Option(False, "--quiet", "-q", help="No progress bar."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Examine a critic before it is explained, or a generator. Exit code 0: no failure, 1: a failure, 2: bad input."""
    from ganexplain.models.generator import Generator
    from ganexplain.models.resolve import resolve

    ends = _doctor.Ends(out, write, overwrite, as_json, quiet)
    ends.check()
    found = resolve(model, said.spec)
    if write is not None:
        _doctor.check_writable(found)
    with _console.progress("examining", quiet=quiet) as advance:
        if isinstance(found, Generator):
            reals = None if real is None else _reals(real, found, limit)
            result, mended = _generator(found, reals, write is not None, batch_size, seed, advance)
        else:
            images = _images(found, which, (real, fake), limit, None if tiles is None else _tile(tiles), seed)
            result, mended = _critic(images, write is not None, batch_size, seed, advance)
    _doctor.finish(result, mended, getattr(found, "about", None), ends)
    if (mended.after if mended else result).failed:
        raise typer.Exit(1)


@dataclass(frozen=True)
class Images:
    """A critic and what it is examined on."""

    critic: Critic
    real: Tensor | None
    fake: Tensor | None


def _images(
    found: Model,
    which: str,
    paths: tuple[Path | None, Path | None],
    limit: int,
    sheet: tuple[int, int] | None,
    seed: int,
) -> Images:
    from ganexplain.models.gan import GAN
    from ganexplain.models.resolve import critic_of

    if isinstance(found, GAN) and which not in found.critics:
        which = found.critics[0] if which == "judge" else which  # a GAN that has no judge yet
    critic = critic_of(found, which)
    real, fake = paths
    reals = None if real is None else _read(real, critic, limit, sheet)
    fakes = None if fake is None else _fakes(fake, critic, limit, sheet, seed)
    if isinstance(found, GAN):
        if reals is None and critic.reference is not None:
            reals = critic.reference.images[:limit]
        fakes = found.samples(min(limit, 200), seed=seed) if fakes is None else fakes
    if reals is None and fakes is None:
        raise ValueError("a critic is examined on images: give --real and --fake, a folder or a file each")
    return Images(critic, reals, fakes)


def _fakes(path: Path, critic: Critic, limit: int, sheet: tuple[int, int] | None, seed: int) -> Tensor:
    """Images of files, or samples of a generator where the path is its file of weights."""
    from ganexplain.models.resolve import SUFFIXES, generator_of
    from ganexplain.models.spec import Spec

    if path.suffix not in SUFFIXES or not path.is_file():
        return _read(path, critic, limit, sheet)
    generator = generator_of(str(path), None if critic.label is None else Spec(label=critic.label))
    return generator.render(generator.sample(min(limit, 200), seed=seed))


def _critic(
    images: Images, mend: bool, batch_size: int, seed: int, advance: _console.Advance
) -> tuple[Examination, Repair | None]:
    from ganexplain.evaluation.doctor import examine, repair

    if not mend:
        given = {"real": images.real, "fake": images.fake}
        return examine(images.critic, **given, batch_size=batch_size, seed=seed, advance=advance), None
    mended = repair(
        images.critic, real=images.real, fake=images.fake, batch_size=batch_size, seed=seed, advance=advance
    )
    return mended.before, mended


def _generator(
    generator: Generator, real: Tensor | None, mend: bool, batch_size: int, seed: int, advance: _console.Advance
) -> tuple[Examination, Repair | None]:
    from ganexplain.evaluation.doctor import examine_generator, repair_generator

    if not mend:
        return examine_generator(generator, real=real, batch_size=batch_size, seed=seed, advance=advance), None
    mended = repair_generator(generator, real=real, batch_size=batch_size, seed=seed, advance=advance)
    return mended.before, mended


def _reals(path: Path, generator: Generator, limit: int) -> Tensor:
    """Reals as the generator makes its own: images in its size and colours, or rows or signals."""
    from ganexplain.cli import _inputs
    from ganexplain.data.images import read_folder

    if generator.form.name != "images":
        return _inputs.batch(generator.form, path, limit)
    _, channels, height, width = generator.render(generator.sample(1, seed=0)).shape
    return read_folder(path, channels=channels, size=(height, width), limit=limit)


def _tile(words: str) -> tuple[int, int]:
    size, comma, padding = words.partition(",")
    if not size.strip().isdecimal() or (comma and not padding.strip().isdecimal()):
        raise ValueError(f"--tiles takes SIZE,PADDING in pixels, such as 28,2, got {words!r}")
    return int(size), int(padding or 0)


def _read(path: Path, critic: Critic, limit: int, sheet: tuple[int, int] | None) -> Tensor:
    """Images as they are, so that the critic resizes them itself; only files of several sizes are resized here."""
    import torch

    from ganexplain.cli import _inputs
    from ganexplain.data.images import expand, read_image
    from ganexplain.data.tiles import cut
    from ganexplain.models.preprocess import resized

    if critic.form.name != "images":
        return _inputs.batch(critic.form, path, limit)
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
