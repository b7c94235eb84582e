"""Does the doctor name what is wrong, and is it silent where nothing is?

    python -m benchmarks.doctor [--write] [--only WORD]

Every wiring of ``benchmarks/_doctor`` is a critic or generator as a user may wire it: right, or broken in one way.
A fault is named where a finding that warns or fails, or the error that refuses the model, has the words for it. A right
wiring is left alone where no finding fails and no change of its spec is proposed. The checks' thresholds were not
fitted to these wirings, but their authors knew of most faults.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import time
import warnings
from pathlib import Path
from typing import Any

import torch

from benchmarks._doctor import WIRINGS
from benchmarks._doctor.wiring import ASSETS, Subject, Wiring
from ganexplain.evaluation.doctor import Finding, examine, examine_generator
from ganexplain.models.critic import Critic

RESULT = Path(__file__).parent / "results" / "doctor.json"


def asked(wiring: Wiring) -> dict[str, Any]:
    """What the doctor says of one wiring, and whether that is right."""
    start = time.perf_counter()
    try:
        findings = found(wiring.build())
    except (ValueError, TypeError) as error:
        findings = (Finding("error", "fail", " ".join(str(error).split())),)
    seconds = round(time.perf_counter() - start, 2)
    loud = [f for f in findings if f.status in ("warn", "fail")]
    if wiring.right:
        alarms = [f for f in findings if f.status == "fail" or f.accepted]
        return row(wiring, not alarms, alarms, seconds)
    naming = [f for f in loud if f.name in wiring.named and re.search(wiring.says, f"{f.sentence} {f.advice}")]
    return row(wiring, bool(naming), naming or loud, seconds)


def found(subject: Subject) -> tuple[Finding, ...]:
    """The findings of one examination."""
    if isinstance(subject.model, Critic):
        return examine(subject.model, real=subject.real, fake=subject.fake).findings
    return examine_generator(subject.model, real=subject.real).findings


def row(wiring: Wiring, right: bool, findings: list[Finding], seconds: float) -> dict[str, Any]:
    said = "; ".join(f"{f.name} ({f.status}): {f.sentence}" + (f" -> {f.advice}" if f.advice else "") for f in findings)
    return {"wiring": wiring.name, "broken": not wiring.right, "right": right, "seconds": seconds, "says": said}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the result that the documentation quotes")
    parser.add_argument("--only", default="", help="only wirings whose name holds this")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    wirings = [w for w in WIRINGS if chosen.only in w.name and (ASSETS or not w.assets)]
    rows = [asked(wiring) for wiring in wirings]
    for one in rows:
        print(f"{'ok  ' if one['right'] else 'MISS'} {one['seconds']:6.1f} s  {one['wiring']:48} {one['says'][:150]}")
    print(json.dumps(summary(rows), indent=1))
    if chosen.write:
        if len(rows) < len(WIRINGS):
            raise ValueError("a result is written of all wirings; set GANEXPLAIN_ASSETS and leave out --only")
        machine = f"{platform.machine()}, 1 thread, torch {torch.__version__}"
        document = {"machine": machine, "rows": summary(rows), "wirings": rows}
        RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Two lines: broken and right wirings."""
    lines = []
    for broken, words in ((True, "broken: the fault is named"), (False, "right: no alarm")):
        own = [r for r in rows if r["broken"] == broken]
        times = sorted(r["seconds"] for r in own) or [0.0]
        lines.append(
            {
                "wirings": words,
                "of": len(own),
                "right": sum(r["right"] for r in own),
                "seconds, median": times[len(times) // 2],
                "seconds, most": times[-1],
            }
        )
    return lines


if __name__ == "__main__":
    main()
