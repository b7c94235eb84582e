"""The notebooks: executed in a fresh kernel, written with their outputs, and checked.

``python -m benchmarks.notebooks`` executes them all and says where the outputs that they hold are not those of the
code; with ``--write`` it puts the new outputs in. Words of an output must be the same, numbers within a few percent,
since another machine adds up in another order; the numbers of cells with the tag ``varies`` (times, and what a training
run comes to) are free. Pictures must be there; they are not compared.
"""

from __future__ import annotations

import argparse
import base64
import copy
import hashlib
import io
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks"
LIMIT = 600  # seconds that a cell may take
VARIES = "varies"  # tag of cells whose numbers are those of one run
MAX_BYTES = 1_000_000  # of a notebook

NEAR = 0.05  # relative difference of two numbers that count as the same
NUMBER = re.compile(r"(?<![\w.])[-+−]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def paths() -> list[Path]:
    """The notebooks, in the order in which they are read."""
    return sorted(FOLDER.glob("*.ipynb"))


def read(path: Path) -> Any:
    """The notebook in a file."""
    import nbformat

    return nbformat.read(path, as_version=4)


def sources(notebook: Any) -> str:
    """16 hex digits over the text and code of all cells: what the stored outputs belong to."""
    digest = hashlib.sha256()
    for cell in notebook.cells:
        digest.update(f"{cell.cell_type}\n{cell.source}\n\0".encode())
    return digest.hexdigest()[:16]


def executed(notebook: Any, folder: Path) -> Any:
    """A copy with the outputs of a fresh kernel of this Python, run in ``folder``.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raised; the message holds cell and traceback.
    """
    from nbclient import NotebookClient

    fresh = copy.deepcopy(notebook)
    for cell in fresh.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    # a kernel that the user has installed under the same name would be another Python
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    inherited = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    kernel = {**inherited, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    client = NotebookClient(
        fresh,
        timeout=LIMIT,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        extra_arguments=["--IPKernelApp.log_level=40"],  # it warns that this machine's own ports are not encrypted
    )
    client.execute(env=kernel)
    fresh.metadata = {**METADATA, "ganexplain": {"sources": sources(notebook)}}
    for cell in fresh.cells:
        if cell.cell_type == "code":
            cell.outputs = [_squeezed(output) for output in _joined(cell.outputs)]
    return fresh


def _joined(outputs: list[Any]) -> list[Any]:
    """The outputs with pieces of one stream put together: where a stream breaks is chance."""
    kept: list[Any] = []
    for output in outputs:
        if output.output_type == "stream" and kept and kept[-1].get("name") == output.name:
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def _squeezed(output: Any) -> Any:
    """The output with its picture packed more tightly."""
    from PIL import Image

    if "image/png" not in output.get("data", {}):
        return output
    picture = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))).convert("RGB")
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    output.data["image/png"] = base64.b64encode(file.getvalue()).decode()
    return output


def complaints(notebook: Any) -> list[str]:
    """What its cells wrote to stderr: warnings that a reader would have to explain away."""
    return [
        f"cell {i} warns: {output.text.strip()}"
        for i, cell in enumerate(notebook.cells)
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.name == "stderr"
    ]


def differences(stored: Any, fresh: Any) -> list[str]:
    """Where the stored outputs are not those of the code, one sentence each."""
    if stored.metadata.get("ganexplain", {}).get("sources") != sources(stored):
        return ["the outputs belong to other cells"]
    found = []
    for i, (old, new) in enumerate(zip(stored.cells, fresh.cells, strict=True)):
        if old.cell_type != "code":
            continue
        kinds = [[sorted(o.get("data", [o.output_type])) for o in cell.outputs] for cell in (old, new)]
        if kinds[0] != kinds[1]:
            found.append(f"cell {i} holds outputs of the kinds {kinds[0]}, and gives {kinds[1]}")
            continue
        free = VARIES in old.metadata.get("tags", [])
        for was, now in zip(_texts(old), _texts(new), strict=True):
            if not same(was, now, free=free):
                found.append(f"cell {i} holds {was!r}, and gives {now!r}")
    return found


def _texts(cell: Any) -> list[str]:
    """What a code cell says in words: its streams, and the richest text of everything that is no picture."""
    said = []
    for output in cell.outputs:
        data = output.get("data", {})
        if output.output_type == "stream":
            said.append(output.text)
        elif "image/png" not in data:
            said.append(data.get("text/markdown") or data.get("text/plain", ""))
    return said


def same(one: str, two: str, *, free: bool = False) -> bool:
    """Whether two texts have the same words, and numbers that are near each other, or any if they are ``free``."""
    if NUMBER.sub("#", one).split() != NUMBER.sub("#", two).split():
        return False
    pairs = zip(NUMBER.findall(one), NUMBER.findall(two), strict=True)
    return free or all(_near(a, b) for a, b in pairs)


def _near(one: str, two: str) -> bool:
    """Within `NEAR` of the larger, or one unit of the last digit that is shown."""
    a, b = (float(text.replace(",", "").replace("−", "-")) for text in (one, two))
    mantissa, _, power = one.partition("e")
    unit = 10.0 ** (int(power or 0) - len(mantissa.partition(".")[2]))
    return abs(a - b) <= max(NEAR * max(abs(a), abs(b)), 1.001 * unit)


def main() -> None:
    """Execute the notebooks, and check or write their outputs."""
    import nbformat

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="such as 01_train; all if none is named")
    parser.add_argument("--write", action="store_true", help="put the new outputs in")
    arguments = parser.parse_args()
    wrong = []
    for path in paths():
        if arguments.names and path.stem not in arguments.names:
            continue
        notebook = read(path)
        with tempfile.TemporaryDirectory() as folder:
            fresh = executed(notebook, Path(folder))
        problems = complaints(fresh)
        if arguments.write and not problems:
            nbformat.write(fresh, path)
        elif not arguments.write:
            problems += differences(notebook, fresh)
        wrong += [f"{path.name}: {problem}" for problem in problems]
    print("\n".join(wrong) or "every output is that of the code")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
