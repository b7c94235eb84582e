"""What ``ganexplain directions`` writes: the document, its pictures, the page, and the table on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from ganexplain.folders import Kind
    from ganexplain.latent.comparison import Comparison
    from ganexplain.latent.directions import Directions
    from ganexplain.latent.effects import Effects
    from ganexplain.models.critic import Critic
    from ganexplain.models.generator import Generator

SCHEMA = 2
SPECTRUM = ("eigenvalues", "median", "random_threshold", "n_standing_out")
COLUMNS = 7


def kind() -> Kind:
    """The folder that the command fills."""
    from ganexplain.folders import Kind

    files = ("directions.html", "directions.json", "*.safetensors", "*.png")
    return Kind("a set of directions", "directions.json", "directions", files)


def amounts(largest: float) -> list[float]:
    """Seven amounts from minus to plus the largest."""
    half = COLUMNS // 2
    return [round(largest * (i - half) / half, 6) for i in range(COLUMNS)]


def notes(directions: Directions, codes: Tensor, amount: float) -> list[str]:
    """What a reader must know before the pictures."""
    import torch

    said = []
    ends = [directions.edit(codes, i, s) for i in range(len(directions)) for s in (-amount, amount)]
    beyond = directions.outside_prior(torch.cat(ends))
    if beyond:
        said.append(
            f"At {amount:g} standard deviations {100 * beyond:.1f} % of the numbers of a code lie beyond [-1, 1], "
            "where the generator was never trained."
        )
    weak = [n for n, ok in zip(directions.names, directions.stands_out or (), strict=False) if not ok]
    if weak:
        said.append(f"Not told from chance: {', '.join(weak)}.")
    return said


def document(
    directions: Directions, measured: Effects | None, beside: Comparison | None, critic: str
) -> dict[str, Any]:
    """What ``directions.json`` holds, but for the model and the run."""
    from ganexplain import __version__
    from ganexplain.latent.finders import measure

    params = dict(directions.params)
    summary = None
    if measured is not None:
        summary = {k: v for k, v in measured.to_json().items() if k != "directions"} | {"short_unit": measured.unit}
    headline = None
    if measured is not None:
        headline = (measured if beside is None else beside).headline(whose(critic))
    return {
        "kind": "directions",
        "schema": SCHEMA,
        "version": __version__,
        "method": directions.method,
        "measure": measure(directions),
        "settings": settings_of(params),
        "space": directions.space,
        "layers": list(directions.layers),
        "prior": directions.prior,
        "fingerprint": directions.fingerprint,
        "spectrum": {k: params[k] for k in SPECTRUM} if set(SPECTRUM) <= set(params) else None,
        "directions": _rows(directions, measured),
        "headline": headline,
        "effects": summary,
        "comparison": None if beside is None else _beside(beside),
    }


def whose(critic: str) -> str:
    """The critic in words: a name of a file stands by itself."""
    return critic if ":" in critic else f"the {critic}"


def settings_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """Settings and findings that are one number or word, without those that the page says elsewhere."""
    said = {k: v for k, v in params.items() if isinstance(v, str | int | float | bool) and k not in SPECTRUM}
    without = params.get("conditions")
    return said | ({"without": ", ".join(map(str, without))} if isinstance(without, list) and without else {})


def _rows(directions: Directions, measured: Effects | None) -> list[dict[str, Any]]:
    from ganexplain.latent.finders import columns

    count = len(directions)
    ties = directions.params.get("tied", [False] * count)
    figures = columns(directions)
    table = measured.table() if measured else [None] * count
    rows = []
    for i, name in enumerate(directions.names):
        strength = None if directions.strength is None else float(f"{float(directions.strength[i]):.6g}")
        row = {"index": i, "name": name, "file": f"direction-{i:02d}.png", "strength": strength, "tied": ties[i]}
        row |= {"figures": {heading: values[i] for heading, values in figures.items()}}
        row |= {"stands_out": directions.stands_out[i] if directions.stands_out else None}
        row |= {"scale": float(f"{float(directions.scale[i]):.6g}"), "effect": table[i]}
        rows.append(row)
    return rows


def _beside(beside: Comparison) -> dict[str, Any]:
    from ganexplain.latent.comparison import DUPLICATE

    chance = None if beside.effects is None else beside.effects.to_json()["random_control"]
    return {
        "sets": list(beside.sets),
        "amounts": list(beside.amounts),
        "n_codes": beside.n_codes,
        "duplicate_cosine": DUPLICATE,
        "random_control": chance,
        "directions": beside.table(),
    }


def effect(said: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """The change of the logit in words, or nothing where no critic is."""
    if row["effect"] is None:
        return ""
    return f"{said['effects']['short_unit']} {row['effect']['text']} per sd"


def pictures(
    directions: Directions, generator: Generator, judge: Critic | None, codes: Tensor, said: Mapping[str, Any]
) -> dict[str, bytes]:
    """PNG bytes by file name: an overview, a strip a direction, and the eigenvalues where the finder keeps them all."""
    import torch

    from ganexplain.figures.strips import strips
    from ganexplain.figures.style import png

    if generator.form.name != "images":
        return _drawn(directions, generator, codes, said)
    steps, firsts, drawn = said["amounts"], [], {}
    small = " ".join(said["notes"][:1]) if directions.prior == "uniform" else ""
    legend = ""
    if judge is not None:
        unit = said["effects"]["short_unit"]
        legend = f"below each image: the {unit} of {whose(said['critic'])}, higher is more real\n"
    for i, row in enumerate(said["directions"]):
        panels = directions.traverse(generator, codes, i, steps)
        firsts.append(panels[0])
        moved = effect(said, row)
        captions = None if judge is None else _captions(judge, panels)
        title = f"{row['name']}: {moved}" if moved else row["name"]
        labels = [f"code {k}" for k in range(len(codes))]
        drawn[row["file"]] = png(strips(panels, steps, labels, title=title, note=legend + small, captions=captions))
    labels = [f"{row['name']}\n{effect(said, row)}" for row in said["directions"]]
    overview = strips(torch.stack(firsts), steps, labels, title=f"{said['model']['name']}: code 0", note=small)
    drawn["overview.png"] = png(overview)
    return drawn | _spectrum(directions, said)


def _drawn(directions: Directions, generator: Generator, codes: Tensor, said: Mapping[str, Any]) -> dict[str, bytes]:
    """The same of rows and signals: bars and lines."""
    from ganexplain.figures.style import png

    figures = {
        row["file"]: directions.plot(generator, codes, i, said["amounts"]) for i, row in enumerate(said["directions"])
    }
    figures["overview.png"] = directions.plot(generator, codes, None, said["amounts"])
    return {name: png(figure) for name, figure in figures.items()} | _spectrum(directions, said)


def _spectrum(directions: Directions, said: Mapping[str, Any]) -> dict[str, bytes]:
    from ganexplain.figures.spectrum import spectrum
    from ganexplain.figures.style import png

    found = said["spectrum"]
    if not found:
        return {}
    title = f"{found['n_standing_out']} of {len(found['eigenvalues'])} directions stand out"
    profile = spectrum(found["eigenvalues"], found["random_threshold"], len(directions), title=title)
    return {"eigenvalues.png": png(profile)}


def comparison_picture(
    beside: Comparison, said: Mapping[str, Any], generator: Generator, codes: Tensor
) -> dict[str, bytes]:
    """The finders side by side."""
    from ganexplain.figures.style import png
    from ganexplain.latent import drawing

    if generator.form.name != "images":
        return {"comparison.png": png(drawing.beside(beside.sets, generator, codes, beside.amounts))}

    title = f"{said['model']['name']}: code 0, edited along the directions of {len(beside.sets)} finders"
    return {"comparison.png": png(beside.plot(title))}


def _captions(judge: Critic, panels: Tensor) -> list[list[str]]:
    from ganexplain.latent.effects import rounded

    logits = judge.logits(panels.flatten(0, 1)).reshape(panels.shape[:2])
    step = float(logits.std()) / 10
    return [[rounded(v, step) for v in row] for row in logits.tolist()]


def files(sets: Mapping[str, Directions], said: Mapping[str, Any], drawn: Mapping[str, bytes]) -> dict[str, bytes]:
    """All files by name; the finder that is shown one by one is directions.safetensors, the others carry their name."""
    from ganexplain import store
    from ganexplain.latent.page import page

    first, *others = sets
    return {
        **drawn,
        "directions.safetensors": sets[first].to_bytes(),
        **{f"{name}.safetensors": sets[name].to_bytes() for name in others},
        "directions.json": store.json_bytes(said),
        "directions.html": page(said, drawn).encode(),
    }


def table(said: Mapping[str, Any]) -> None:
    """Print the figures."""
    from ganexplain.latent.comparison import figure_of

    if said["headline"]:
        print(said["headline"])
    if found := said["spectrum"]:
        print(f"{found['n_standing_out']} of {len(found['eigenvalues'])} eigenvalues stand out from a random matrix")
    width = max(16, *(len(row["name"]) + 2 for row in said["directions"]))
    for row in said["directions"]:
        mark = {True: "stands out", False: "not told from chance", None: ""}[row["stands_out"]]
        figures = {} if row["strength"] is None else {said["measure"]: row["strength"]}
        figures |= {heading: value for heading, value in row["figures"].items() if value is not None}
        strength = "  ".join(f"{heading} {figure_of(value)}" for heading, value in figures.items())
        print(f"  {row['name']:{width}}{strength + '  ':22}{mark:22}{effect(said, row)}".rstrip())
    if said["effects"]:
        unit = said["effects"]["short_unit"]
        print(f"over images the {unit} has the sd {said['effects']['logit_std']:.2g}")
    if beside := said["comparison"]:
        _print_beside(beside, "pixels" if said["form"] == "images" else "change")
    for text in said["notes"]:
        print(text)


def _print_beside(beside: Mapping[str, Any], word: str) -> None:
    print("the finders side by side, per sd:")
    for row in beside["directions"]:
        where = f"{row['set']}: {row['name']}"
        moved = f"logit {row['effect']['text']}" if row["effect"] else ""
        same = f"same as {row['nearest']['set']} {row['nearest']['index']}" if row["duplicate"] else ""
        print(f"  {where:28}{word} {row['image']:.3f}  {moved:22}{same}".rstrip())
