"""Every fault of the published recipe by a run of it beside its repair: ``python -m benchmarks.seed_recipe``.

Writes ``results/seed_recipe.json``, from which ``python -m benchmarks.readme --write`` fills the tables of
``docs/seed-recipe.md``. Takes seconds; nothing is trained to the end here, that is ``benchmarks.seed``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from benchmarks._recipe import data, game, networks
from benchmarks._recipe.fault import FAULTS, Compared, Fault
from ganexplain import store

RESULT = Path(__file__).parent / "results" / "seed_recipe.json"
PARTS = (data, game, networks)  # importing them fills FAULTS


def write(path: Path, result: dict[str, Any]) -> None:
    """JSON whose keys keep their order, which is that of the page's columns."""
    store.write_bytes(path, f"{json.dumps(result, indent=1, allow_nan=False, ensure_ascii=False)}\n".encode())


def row(fault: Fault, found: Compared | None) -> dict[str, Any]:
    """One line of the page's table; what is not run has empty cells."""
    return {
        "fault": f"{fault.number} {fault.name}",
        "what is measured": fault.measure,
        "published": "" if found is None else found.published,
        "repaired": "" if found is None else found.repaired,
    }


def main() -> None:
    torch.set_num_threads(1)
    runs = [(FAULTS[number], FAULTS[number].compared()) for number in sorted(FAULTS)]
    also = {f"{fault.number} {fault.name}": found.also for fault, found in runs if found is not None and found.also}
    write(RESULT, {"rows": [row(fault, found) for fault, found in runs], "also": also})


if __name__ == "__main__":
    main()
