"""``ganexplain train``: make a GAN with a discriminator and a judge that can be explained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DATA = "fashion-mnist, mnist, digits, ring-8, grid-25, NAME:FOLDER, FOLDER, FILE.npz, FILE.csv."
Out = Annotated[
    Path, typer.Option("--out", help="Folder of the run: gan.safetensors, metrics.jsonl, samples, checkpoints.")
]
Data = Annotated[str | None, typer.Option("--data", help=DATA)]
Preset = Annotated[str | None, typer.Option("--preset", help="A preset's name, or a .toml file; else dcgan.")]
Steps = Annotated[int | None, typer.Option("--steps", help="Steps in all; else the preset's.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="section.key=value; may be repeated.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Decides weights, noise, order and split.")]
Resolution = Annotated[int | None, typer.Option("--resolution", help="Side in pixels; else the images' own.")]
Channels = Annotated[int | None, typer.Option("--channels", help="1 grey, 3 colour; else the images' own.")]
Fit = Annotated[
    str | None, typer.Option("--fit", help="Of images that are not square: crop (default), stretch or pad.")
]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, mps.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue the run in --out, bit for bit; begin it where there is none.")
]
InitFrom = Annotated[
    Path | None,
    typer.Option("--init-from", help="Begin anew with the weights of a GAN's file, a run's folder or a checkpoint."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the run that is already in --out.")]
TensorBoard = Annotated[bool, typer.Option("--tensorboard", help="Also write events (extra: tensorboard).")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def run(
    out: Out,
    data: Data = None,
    preset: Preset = None,
    steps: Steps = None,
    overrides: Overrides = None,
    seed: Seed = None,
    resolution: Resolution = None,
    channels: Channels = None,
    fit: Fit = None,
    device: Device = "cpu",
    resume: Resume = False,
    init_from: InitFrom = None,
    overwrite: Overwrite = False,
    tensorboard: TensorBoard = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a GAN, then its judge; calibrate both critics on held-out images and save all of it as one file.

    Ctrl-C finishes the step, saves a checkpoint, and writes a GAN with a judge of some seconds (exit code 130). SIGTERM
    finishes the step and saves a checkpoint (143: schedulers take 0 for a finished job). A second signal stops at once.
    After each of them --resume goes on as if nothing had happened; it needs --out alone, or takes the same command.
    A run that diverged ends with 3 and names its last good checkpoint. Several processes share a run under torchrun.
    """
    from ganexplain.cli._training import Asked, trained

    asked = Asked(
        *(out, data, preset, steps, overrides or [], seed, resolution, channels, fit, device),
        *(resume, init_from, overwrite, tensorboard, quiet, as_json),
    )
    if code := trained(asked):
        raise typer.Exit(code)
