"""``ganexplain inspect``: what is in a file of weights, and what it does not say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ganexplain.cli._opening import LayoutOption, NetworkOption, Said, SpecOption

if TYPE_CHECKING:
    from ganexplain.models.checkpoints import Checkpoint, Weights
    from ganexplain.models.foreign import Found
    from ganexplain.models.spec import Spec


def run(
    file: Path = typer.Argument(help="A file of weights. No Python in it is run."),  # noqa: B008
    layout: LayoutOption = "",
    network: NetworkOption = "",
    spec: SpecOption = None,
    write: Path | None = typer.Option(None, help="Write what was read and assumed, as a spec to correct."),  # noqa: B008
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace an older spec."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Say which networks a file holds, how each is built, and what had to be assumed. Exit code 2: nothing is known."""
    from ganexplain import store
    from ganexplain.cli._console import emit, note
    from ganexplain.models import checkpoints
    from ganexplain.models.checkpoints.checkpoint import role_of
    from ganexplain.models.spec import Spec

    if write is not None and write.exists() and not overwrite:
        raise ValueError(f"{write} exists; say --overwrite to replace it, or name another file")
    if file.is_file() and file.suffix == ".safetensors" and store.is_own(file) and write is None:
        _own(file, as_json)
        return
    said = Said(layout, network, "", spec).spec or Spec()
    said = said if said.role else replace(said, role=role_of(file.stem))
    checkpoint = checkpoints.read(file)
    chosen = checkpoint.networks if said.network is None else (checkpoint.network(said.network),)
    rows = [_row(weights, said) for weights in chosen]
    if as_json:
        emit({"file": file.name, "format": checkpoint.format, "notes": list(checkpoint.notes), "networks": rows})
    else:
        _show(checkpoint, rows)
    known = [row for row in rows if "layout" in row]
    if write is not None:
        note(f"written to {_written(write, known)}")
    if not known and checkpoint.program is None:
        raise typer.Exit(2)


def _own(file: Path, as_json: bool) -> None:
    """A GAN of this project, which says itself what it is."""
    from ganexplain.cli._console import emit
    from ganexplain.models import health
    from ganexplain.models.gan import GAN

    gan = GAN.load(file)
    ended, names = health.checked(gan.card.get("health")), list(gan.class_names)
    if as_json:
        facts = {"file": file.name, "format": "a GAN of ganexplain", "family": gan.family, "card": gan.card}
        known = {"classes": gan.generator.num_classes, "class_names": names, "class_shares": list(gan.class_shares)}
        emit(facts | known | {"architecture": gan.architecture, "fingerprint": gan.fingerprint, "health": ended})
        return
    print(f"{file.name}: a GAN of ganexplain, which needs no layout\n  {gan!r}, fingerprint {gan.fingerprint}")
    if gan.generator.num_classes:
        print(f"  classes (--label): {gan.classes}")
    print(f"  {'How its training ended is not recorded.' if ended is None else health.told(ended)}")


def _row(weights: Weights, said: Spec) -> dict[str, Any]:
    from ganexplain.models.foreign import recognised

    numbers = sum(tensor.numel() for tensor in weights.tensors.values())
    row: dict[str, Any] = {"name": weights.name, "tensors": len(weights.tensors), "numbers": numbers}
    try:
        found: Found = recognised(weights, said)
    except ValueError as error:
        if said.layout is not None:
            raise
        return {**row, "refused": str(error)}
    return {
        **row,
        "layout": found.layout,
        "role": found.role,
        "classes": found.num_classes,
        "architecture": list(found.lines),
        "assumed": dict(found.unknown),
        "spec": found.spec.to_dict(),
    }


def _written(write: Path, known: list[dict[str, Any]]) -> Path:
    from ganexplain.models.spec import Spec

    if len(known) != 1:
        names = ", ".join(repr(row["name"]) for row in known) or "none"
        raise ValueError(
            f"a spec is written for one network, and known are {len(known)} ({names}); choose by --network"
        )
    found = Spec.of({"layout": known[0]["layout"], **known[0]["spec"]})
    return found.write(write, {"layout": "; ".join(f"{k}: {v}" for k, v in known[0]["assumed"].items())})


def _show(checkpoint: Checkpoint, rows: list[dict[str, Any]]) -> None:
    held = "" if checkpoint.program is not None and not rows else f", {_counted(len(rows))}"
    print(f"{checkpoint.path.name}: {checkpoint.format}{held}")
    for sentence in checkpoint.notes:
        print(f"  {sentence}")
    if checkpoint.program is not None:
        print("  a program: run as it is, without a layout; say in a spec what its output means")
    for row in rows:
        name = f"network {row['name']!r}: " if row["name"] else ""
        print(f"\n{name}{row['tensors']} tensors, {row['numbers']:,} numbers")
        if "refused" in row:
            print(f"  {row['refused']}")
            continue
        classes = f", {row['classes']} classes (--label)" if row["classes"] else ""
        print(f"  layout {row['layout']}, a {row['role']}{classes}")
        for line in row["architecture"]:
            print(f"    {line}")
        for what, assumed in row["assumed"].items():
            print(f"  not in the file: {what}: {assumed}")


def _counted(n: int) -> str:
    return f"{n} network{'' if n == 1 else 's'}"
