"""The tables of README.md and of the pages in docs, and the README's picture: written from results, and checked.

``python -m benchmarks.readme`` says what differs, with ``--write`` it brings tables and picture up to date. Tables
between ``<!-- methods -->`` and ``<!-- training -->`` markers come from the registries and presets. A table between
``<!-- bench:NAME -->`` markers belongs to ``benchmarks/results/NAME.json``: it is written where that file has
``"rows"``, a list of mappings of one set of keys; written by hand, the first cell of a row names an entry of the file,
and every number of the row is in that entry.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SECTION = re.compile(
    r"(?P<open><!-- (?P<name>methods|training|bench:[\w-]+) -->\n)(?P<body>.*?)(?P<close><!-- /(?P=name) -->)", re.S
)
NUMBER = re.compile(r"(?<![\w.])-?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)(?:e[-+]?\d+)?%?")


def cell(value: object) -> str:
    """A value as a cell of a table; floats have three significant digits."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value).replace("|", r"\|")


def table(columns: list[str], rows: list[list[Any]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *([cell(value) for value in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def methods() -> str:
    """One table for every kind of part, from the registries."""
    from ganexplain.attribution import listing as attribution
    from ganexplain.latent import listing as latent
    from ganexplain.models.foreign import listing as layouts

    tables = []
    for kind, parts in {**attribution(), **latent(), **layouts()}.items():
        rows = [[f"`{name}`", row["summary"], ", ".join(map(str, row["facts"]))] for name, row in parts.items()]
        kept = 3 if any(row[2] for row in rows) else 2
        tables.append(table([kind, "what it says", "facts"][:kept], [row[:kept] for row in rows]))
    return "\n".join(tables)


def training() -> str:
    """The presets, and the questions that diagnostics put to a run."""
    from ganexplain.training import config
    from ganexplain.training.diagnostics import DIAGNOSTICS

    presets = [[f"`{name}`", config.load(name).about] for name in config.presets()]
    questions = [[f"`{name}`", DIAGNOSTICS.get(name).question] for name in DIAGNOSTICS.names()]
    return table(["presets", "what it is for"], presets) + "\n" + table(["diagnostics", "what it asks"], questions)


GENERATED = {"methods": methods, "training": training}


def results(name: str, folder: Path) -> Any:
    """The JSON of one benchmark."""
    path = folder / f"{name}.json"
    if not path.is_file():
        raise FileNotFoundError(f"a page shows the benchmark {name!r}, but there is no {path}")
    return json.loads(path.read_text(encoding="utf-8"))


def updated(text: str, folder: Path) -> str:
    """``text`` with every table that can be written brought up to date."""

    def fill(match: re.Match[str]) -> str:
        body = match["body"]
        if match["name"] in GENERATED:
            body = GENERATED[match["name"]]()
        else:
            found = results(match["name"].removeprefix("bench:"), folder)
            if isinstance(found, dict) and found.get("rows"):
                body = table(list(found["rows"][0]), [list(row.values()) for row in found["rows"]])
        return match["open"] + body + match["close"]

    return SECTION.sub(fill, text)


def plain(label: object) -> str:
    """A label without markup, case, hyphens and underscores."""
    return re.sub(r"[\s_-]+", " ", re.sub(r"[`*\\]", "", str(label))).strip().lower()


def records(value: Any, label: str) -> Iterator[Any]:
    """What ``value`` holds under ``label``: the entry of that key, or a mapping or row that contains it."""
    if isinstance(value, dict):
        yield from (entry for key, entry in value.items() if plain(key) == label)
    children = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    if any(isinstance(child, str) and plain(child) == label for child in children):
        yield value
    for child in children:
        yield from records(child, label)


def numbers(value: Any) -> Iterator[float]:
    """All numbers in a JSON value, those in its sentences among them."""
    if isinstance(value, str):
        yield from (read(shown) for shown in NUMBER.findall(value))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)
    elif isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from numbers(child)


def read(shown: str) -> float:
    """The number that a text shows."""
    return float(shown.rstrip("%").replace(",", "")) * (0.01 if shown.endswith("%") else 1.0)


def matches(shown: str, measured: float) -> bool:
    """Whether ``shown`` is ``measured``, rounded to the digits that are shown."""
    mantissa, _, exponent = shown.rstrip("%").replace(",", "").partition("e")
    scale = (0.01 if shown.endswith("%") else 1.0) * 10.0 ** int(exponent or 0)
    digit = 10.0 ** -len(mantissa.partition(".")[2]) * scale
    return abs(float(mantissa) * scale - measured) <= 0.5 * digit * (1 + 1e-6)


def differences(text: str, folder: Path) -> list[str]:
    """What the tables say that the results do not, one sentence each."""
    found = []
    for match in SECTION.finditer(text):
        if match["name"] in GENERATED:
            if match["body"] != GENERATED[match["name"]]():
                found.append(f"the table of {match['name']} is not that of the registries")
            continue
        name = match["name"].removeprefix("bench:")
        lines = [line for line in match["body"].splitlines() if line.startswith("|")][2:]
        if not lines:
            found.append(f"{name}: the table is empty")
        for line in lines:
            label, *cells = [part.strip() for part in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
            entries = list(records(results(name, folder), plain(label)))
            if not entries:
                found.append(f"{name}: no entry {label!r} in {name}.json")
                continue
            known = [number for entry in entries for number in numbers(entry)]
            for shown in NUMBER.findall(" ".join(cells)):
                if not any(matches(shown, number) for number in known):
                    found.append(f"{name}: {label} has {shown}, which is not in {name}.json")
    return found


def picture() -> bytes:
    """The picture of the README's first example, as PNG."""
    import ganexplain as ge
    from ganexplain.figures import style

    gan = ge.bundled("fashion")
    why = ge.explain(gan.critic("judge"), gan.samples(1, seed=10))
    return style.png(why.primary.plot())


def pages() -> list[Path]:
    """The README and the pages of the documentation."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def main() -> None:
    """Check every page, and with ``--write`` bring it up to date first."""
    folder = ROOT / "benchmarks" / "results"
    if "--write" in sys.argv[1:]:
        (ROOT / "docs").mkdir(exist_ok=True)
        (ROOT / "docs" / "why.png").write_bytes(picture())
        for page in pages():
            page.write_text(updated(page.read_text(encoding="utf-8"), folder), encoding="utf-8")
    texts = {page.name: page.read_text(encoding="utf-8") for page in pages()}
    found = [f"{name}: {line}" for name, text in texts.items() for line in differences(text, folder)]
    agree = f"{', '.join(texts)} agree with the registries and the results"
    sys.stdout.writelines(f"{line}\n" for line in found or [agree])
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
