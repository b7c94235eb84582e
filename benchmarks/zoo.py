"""Bad wirings, put to ganexplain and to the libraries beside it.

    python -m benchmarks.zoo [--write] [--library NAME ...]

Every case of ``benchmarks/_zoo`` is a critic, a question and an oracle: a closed form, a well-behaved twin, or a law. A
library answers the cases that its own methods can be asked, with the call of its documentation, and is right, wrong
without saying so, or raises. pytorch-grad-cam asks for torchvision and is run where both can be imported:
``pip install --no-deps grad-cam torchvision ttach opencv-python-headless``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Collection, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

os.environ.setdefault("MPLBACKEND", "Agg")

import torch

from benchmarks._zoo import CASES, ask_captum, ask_ganexplain, ask_gradcam, ask_lime, ask_shap
from benchmarks._zoo.case import ABSENT, RAISES, RIGHT, WRONG, Calls, Outcome, applies, outcome

RESULT = Path(__file__).parent / "results" / "zoo.json"
LIBRARIES: Mapping[str, Calls] = {
    "ganexplain": ask_ganexplain.CALLS,
    "captum": ask_captum.CALLS,
    "shap": ask_shap.CALLS,
    "lime": ask_lime.CALLS,
    "grad-cam": ask_gradcam.CALLS,
}


def asked(library: str) -> dict[str, Outcome]:
    """What became of every case that applies to a library."""
    calls = LIBRARIES[library]
    cases = [case for case in CASES if applies(case, library, calls)]
    return {case.name: outcome(case, calls[case.ask]) for case in cases}


def kept(library: str) -> dict[str, Outcome]:
    """A library's answers as they were written.

    Raises:
        ValueError: the file is of other cases.
    """
    cases = json.loads(RESULT.read_text(encoding="utf-8"))["cases"]
    found = {name: Outcome(e[library]["outcome"], e[library]["says"]) for name, e in cases.items() if library in e}
    wanted = {case.name for case in CASES if applies(case, library, LIBRARIES[library])}
    if wanted != set(found):
        raise ValueError(f"{RESULT} holds other cases of {library}; ask again: --library {library}")
    return found


def row(library: str, found: Mapping[str, Outcome]) -> dict[str, Any]:
    """One line of the README's table."""
    kinds = [o.kind for o in found.values() if o.kind != ABSENT]
    if not kinds:
        reason = next((o.says for o in found.values()), "no case applies")
        return {"library": library, "cases": "not run", "right": "-", "wrong, in silence": "-", "raises": reason}
    right, wrong, raises = (kinds.count(kind) for kind in (RIGHT, WRONG, RAISES))
    return {"library": library, "cases": len(kinds), "right": right, "wrong, in silence": wrong, "raises": raises}


def versions() -> dict[str, str]:
    """Of everything that takes part."""
    found = {"python": platform.python_version()}
    for name in ("torch", "numpy", "ganexplain", "captum", "shap", "lime", "grad-cam"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def result(libraries: Collection[str]) -> dict[str, Any]:
    """Cases by libraries, and how many each is right in; the other libraries' answers are kept from the file."""
    found = {library: asked(library) if library in libraries else kept(library) for library in LIBRARIES}
    cases = {
        case.name: {
            "issue": case.issue,
            "ask": case.ask,
            **{
                library: {"outcome": by_case[case.name].kind, "says": by_case[case.name].says}
                for library, by_case in found.items()
                if case.name in by_case
            },
        }
        for case in CASES
    }
    return {
        "versions": versions(),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} thread",
        "calls": {library: {ask: call.words for ask, call in calls.items()} for library, calls in LIBRARIES.items()},
        "rows": [row(library, by_case) for library, by_case in found.items()],
        "cases": cases,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the result that the README quotes")
    parser.add_argument(
        "--library", action="append", choices=list(LIBRARIES), help="ask this one again, keep the others' answers"
    )
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    found = result(chosen.library or list(LIBRARIES))
    for name, entry in found["cases"].items():
        for library in LIBRARIES:
            if library in entry:
                print(f"{name:60s} {library:11s} {entry[library]['outcome']:7s} {entry[library]['says'][:110]}")
    print(json.dumps(found["rows"], indent=1))
    if chosen.write:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
