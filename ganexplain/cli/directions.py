"""``ganexplain directions``: what the generator's latent space can change, and what the judge makes of it."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ganexplain.models.resolve import HELP

if TYPE_CHECKING:
    from torch import Tensor

    from ganexplain.folders import Kind
    from ganexplain.latent.directions import Directions
    from ganexplain.latent.effects import Effects
    from ganexplain.latent.finders import Finder
    from ganexplain.models.critic import Critic
    from ganexplain.models.generator import Generator

SCHEMA = 1
SPECTRUM = ("eigenvalues", "median", "random_threshold", "n_standing_out")
COLUMNS = 7
ROWS = 4


def run(
    model: str = typer.Argument(help=HELP),
    method: str = typer.Option("sefa", help="Direction finder; `ganexplain methods` lists them."),
    normalize: str = typer.Option("auto", help="Rows of the first layer: auto, none, rows or batchnorm."),
    space: str = typer.Option("z", help="Latent space of the generator."),
    n: int = typer.Option(5, "--n", help="How many directions."),
    amount: float = typer.Option(3.0, help="Largest edit, in standard deviations of the codes."),
    critic: str = typer.Option("", help="Whose logit is measured: judge or discriminator of a GAN, or another model."),
    n_codes: int = typer.Option(128, "--codes", help="Codes that the effect on the logit is averaged over."),
    seed: int = typer.Option(0, help="Decides the codes and the random directions."),
    out: Path = typer.Option(Path("out/directions"), help="Folder for pictures, numbers and the page."),  # noqa: B008
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace older directions in --out."),
    quiet: bool = typer.Option(False, "--quiet", help="Print nothing but errors and JSON."),
    as_json: bool = typer.Option(False, "--json", help="Print the JSON."),
) -> None:
    """Find latent directions of a generator; write strips of edited images and how far each moves the judge's logit."""
    from ganexplain import checks, folders
    from ganexplain.cli._console import emit, note, progress

    checks.positive(amount, "--amount")
    folder = folders.check(out, _kind(), overwrite=overwrite)
    finder = _finder(method, space, n, normalize)
    generator, judge, name = _subject(model, critic)
    codes = _codes(generator, space, ROWS + n_codes, seed)
    with progress("directions", quiet=quiet) as advance:
        advance("reading the generator", 0.0)
        directions = finder.fit(generator, seed=seed).directions_
        advance("effect on the logit", 0.1)
        document = _document(directions, _measured(directions, generator, judge, codes[ROWS:], seed), seed)
        document |= {"model": _about(generator, model), "critic": name, "amounts": _amounts(amount), "n_rows": ROWS}
        document["notes"] = _notes(directions, codes[:ROWS], amount)
        advance("strips", 0.7)
        pictures = _pictures(directions, generator, judge, codes[:ROWS], document)
        folders.write(folder, _files(directions, document, pictures), _kind(), overwrite=overwrite)
    if as_json:
        emit(document)
    elif not quiet:
        _table(document)
    note(f"written to {folder / 'directions.html'}", quiet=quiet)


def _kind() -> Kind:
    from ganexplain.folders import Kind

    files = ("directions.html", "directions.json", "directions.safetensors", "*.png")
    return Kind("a set of directions", "directions.json", "directions", files)


def _finder(method: str, space: str, n: int, normalize: str) -> Finder:
    from ganexplain.latent.finders import FINDERS

    part = FINDERS.get(method)
    settings: dict[str, Any] = {"space": space, "n_directions": n}
    if "normalize" in inspect.signature(part).parameters:
        settings["normalize"] = normalize
    elif normalize != "auto":
        raise ValueError(f"the finder {method!r} has no --normalize; leave it out")
    return part(**settings)


def _subject(model: str, critic: str) -> tuple[Generator, Critic | None, str]:
    """The generator, who judges it, and that critic's name."""
    from ganexplain.models.gan import GAN
    from ganexplain.models.resolve import critic_of, generator_of, resolve

    found = resolve(model)
    generator = generator_of(found)
    if isinstance(found, GAN) and critic in ("", *found.critics):
        name = critic or found.critics[0]
        return generator, found.critic(name), name
    if not critic:
        return generator, None, ""
    return generator, critic_of(critic), Path(critic).name


def _codes(generator: Generator, space: str, n: int, seed: int) -> Tensor:
    if n - ROWS < 2:
        raise ValueError(f"--codes must be at least 2, got {n - ROWS}")
    return generator.encode(generator.sample(n, seed=seed), space)


def _measured(
    directions: Directions, generator: Generator, judge: Critic | None, codes: Tensor, seed: int
) -> Effects | None:
    from ganexplain.latent.effects import effects, random_directions

    if judge is None:
        return None
    return effects(directions, generator, judge, codes, control=random_directions(directions, seed=seed))


def _amounts(largest: float) -> list[float]:
    half = COLUMNS // 2
    return [round(largest * (i - half) / half, 6) for i in range(COLUMNS)]


def _about(generator: Generator, model: str) -> dict[str, Any]:
    size = f"{generator.channels} x {generator.resolution} x {generator.resolution}"
    prior = "normal" if generator.prior == "normal" else "uniform in [-1, 1]"
    # the name only: a folder of one machine has no place in a file that is the same everywhere
    return {"name": Path(model).name, "summary": f"Images of {size}, codes of {generator.z_dim} numbers, {prior}."}


def _notes(directions: Directions, codes: Tensor, amount: float) -> list[str]:
    import torch

    notes = []
    ends = [directions.edit(codes, i, s) for i in range(len(directions)) for s in (-amount, amount)]
    beyond = directions.outside_prior(torch.cat(ends))
    if beyond:
        notes.append(
            f"At {amount:g} standard deviations {100 * beyond:.1f} % of the numbers of a code lie beyond [-1, 1], "
            "where the generator was never trained."
        )
    weak = [n for n, ok in zip(directions.names, directions.stands_out or (), strict=False) if not ok]
    if weak:
        notes.append(f"Not told from chance: {', '.join(weak)}.")
    return notes


def _document(directions: Directions, measured: Effects | None, seed: int) -> dict[str, Any]:
    from ganexplain import __version__

    params = dict(directions.params)
    ties = params.get("tied", [False] * len(directions))
    table = measured.table() if measured else [None] * len(directions)
    rows = []
    for i, name in enumerate(directions.names):
        strength = None if directions.strength is None else float(f"{float(directions.strength[i]):.6g}")
        row = {"index": i, "name": name, "file": f"direction-{i:02d}.png", "eigenvalue": strength, "tied": ties[i]}
        row |= {"stands_out": directions.stands_out[i] if directions.stands_out else None}
        row |= {"scale": float(f"{float(directions.scale[i]):.6g}"), "effect": table[i]}
        rows.append(row)
    summary = None
    if measured is not None:
        summary = {k: v for k, v in measured.to_json().items() if k != "directions"} | {"short_unit": measured.unit}
    return {
        "kind": "directions",
        "schema": SCHEMA,
        "version": __version__,
        "seed": seed,
        "method": directions.method,
        "normalize": params.get("normalize"),
        "space": directions.space,
        "layers": list(directions.layers),
        "prior": directions.prior,
        "fingerprint": directions.fingerprint,
        "spectrum": {k: params[k] for k in SPECTRUM} if "eigenvalues" in params else None,
        "directions": rows,
        "effects": summary,
    }


def _effect(document: dict[str, Any], row: dict[str, Any]) -> str:
    """The change of the logit in words, or nothing where no critic is."""
    if row["effect"] is None:
        return ""
    return f"{document['effects']['short_unit']} {row['effect']['text']} per sd"


def _pictures(
    directions: Directions, generator: Generator, judge: Critic | None, codes: Tensor, document: dict[str, Any]
) -> dict[str, bytes]:
    import torch

    from ganexplain.figures.spectrum import spectrum
    from ganexplain.figures.strips import strips
    from ganexplain.figures.style import png

    amounts, firsts, pictures = document["amounts"], [], {}
    small = " ".join(document["notes"][:1]) if directions.prior == "uniform" else ""
    legend = ""
    if judge is not None:
        whose = document["critic"] if ":" in document["critic"] else f"the {document['critic']}"
        legend = f"below each image: the {document['effects']['short_unit']} of {whose}, higher is more real\n"
    note = legend + small
    for i, row in enumerate(document["directions"]):
        panels = directions.traverse(generator, codes, i, amounts)
        firsts.append(panels[0])
        said = _effect(document, row)
        captions = None if judge is None else _captions(judge, panels)
        title = f"{row['name']}: {said}" if said else row["name"]
        figure = strips(
            panels, amounts, [f"code {k}" for k in range(len(codes))], title=title, note=note, captions=captions
        )
        pictures[row["file"]] = png(figure)
    labels = [f"{row['name']}\n{_effect(document, row)}" for row in document["directions"]]
    overview = strips(torch.stack(firsts), amounts, labels, title=f"{document['model']['name']}: code 0", note=small)
    pictures["overview.png"] = png(overview)
    if found := document["spectrum"]:
        title = f"{found['n_standing_out']} of {len(found['eigenvalues'])} directions stand out"
        profile = spectrum(found["eigenvalues"], found["random_threshold"], len(directions), title=title)
        pictures["eigenvalues.png"] = png(profile)
    return pictures


def _captions(judge: Critic, panels: Tensor) -> list[list[str]]:
    from ganexplain.latent.effects import rounded

    logits = judge.logits(panels.flatten(0, 1)).reshape(panels.shape[:2])
    step = float(logits.std()) / 10
    return [[rounded(v, step) for v in row] for row in logits.tolist()]


def _files(directions: Directions, document: dict[str, Any], pictures: dict[str, bytes]) -> dict[str, bytes]:
    from ganexplain import store
    from ganexplain.latent.page import page

    return {
        **pictures,
        "directions.safetensors": directions.to_bytes(),
        "directions.json": store.json_bytes(document),
        "directions.html": page(document, pictures).encode(),
    }


def _table(document: dict[str, Any]) -> None:
    if found := document["spectrum"]:
        print(f"{found['n_standing_out']} of {len(found['eigenvalues'])} eigenvalues stand out from a random matrix")
    for row in document["directions"]:
        mark = {True: "stands out", False: "not told from chance", None: ""}[row["stands_out"]]
        strength = "" if row["eigenvalue"] is None else f"eigenvalue {row['eigenvalue']:.4g}"
        print(f"  {row['name']:16}{strength:22}{mark:22}{_effect(document, row)}".rstrip())
    if document["effects"]:
        said = document["effects"]
        chance, unit = said["random_control"]["mean_size_95"], said["short_unit"]
        print(
            f"95 % of random directions change the {unit} by less than {chance:.2g} per sd; over images it has the sd "
            f"{said['logit_std']:.2g}"
        )
    for line in document["notes"]:
        print(line)
