"""The headings, and what a reader is warned of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ganexplain.models import health
from ganexplain.models.class_names import called
from ganexplain.report import words

Facts = Mapping[str, Any]


def title(entry: Facts) -> str:
    """The heading of one explanation: a warning first where one is due, with the checks that failed."""
    verdict_ = f"{entry['name']}: judged {words.judged(entry['verdict'])}"
    if entry["word"] == "RELIABLE":
        return verdict_
    return f"{entry['word']} ({reason(entry)}) – {verdict_}"


def reason(entry: Facts) -> str:
    """Why an explanation is not called reliable."""
    if entry["failed"]:
        return f"failed: {', '.join(entry['failed'])}"
    return "interrupted" if entry["interrupted"] else "too little could be checked"


def trust(entry: Facts) -> str:
    """What the word in the title means for the reader."""
    word, failed = entry["word"], " and ".join(entry["failed"])
    if word == "RELIABLE":
        return f"The explanation is RELIABLE by every check that could be run ({entry['summary']})."
    if word == "NOT RELIABLE":
        return (
            f"The explanation is NOT RELIABLE: it failed the check of {failed}. The verdict stands as the judge gave "
            "it, but do not use the maps and regions below as its reasons."
        )
    if entry["failed"]:
        return f"CHECK the explanation before you rely on it: it failed the lesser check of {failed}."
    if entry["interrupted"]:
        return "CHECK the explanation before you rely on it: it was interrupted, so not all checks were made."
    return (
        "CHECK the explanation before you rely on it: none of the checks of deletion, randomisation and specificity "
        "could be run; the table says what each of them needs."
    )


def training(entry: Facts) -> str:
    """How the training of the judge's GAN ended; nothing where nobody recorded it."""
    found = entry["critic"].get("health")
    return "" if found is None else health.told(found)


def page_title(entries: Sequence[Facts], planned: int, has_directions: bool) -> str:
    """The title of the page."""
    if not entries:
        return "Latent directions" if has_directions else "Nothing was explained"
    if len(entries) == 1:
        text = title(entries[0])
    else:
        fakes = sum(e["verdict"]["fake"] and not e["verdict"]["unsure"] for e in entries)
        unsure = sum(e["verdict"]["unsure"] for e in entries)
        many = entries[0]["form"]["many"]
        text = f"{fakes} of {len(entries)} {many} judged fake" + (f", {unsure} unsure" if unsure else "")
        for word in ("NOT RELIABLE", "CHECK"):
            if bad := [e for e in entries if e["word"] == word]:
                failed = dict.fromkeys(f for e in bad for f in e["failed"])
                why = f"; failed: {', '.join(failed)}" if failed else ""
                text = f"{word} ({len(bad)} of {len(entries)} explanations{why}) – {text}"
                break
    return text + (
        f" (interrupted: {len(entries)} of {planned} {entries[0]['form']['many']})" if planned > len(entries) else ""
    )


def _swayed(entry: Facts) -> str:
    if entry["form"]["name"] == "images":
        return "compression, resizing and cropping"
    return "errors of measurement, other instruments and rounding"


def _read_from(critic: Facts) -> list[str]:
    """Where the judge's weights were read from, for which class it judges, and what had to be assumed."""
    about, label = critic["about"], critic.get("label")
    given = ""
    if label is not None:
        given = f" It judges for {called(label, critic.get('class'))}; for another class it may say otherwise."
    if about is None:
        return [given.strip()] if given else []
    said = f"The judge was read from {about['file']} (layout {about['layout']}).{given}"
    if not about["assumed"]:
        return [said]
    assumed = "; ".join(why.partition("; [")[0] for why in about["assumed"].values())
    return [f"{said} The file does not say everything, and where it is silent this was assumed: {assumed}."]


def caveats(entry: Facts) -> list[str]:
    """What the reader must not conclude."""
    critic, found = entry["critic"], entry["verdict"]
    out = [
        "This explains the judge, not the origin of the image: it shows what moved this model's verdict, not how the "
        "image was made.",
        f"It is no forensic proof. One model's verdict, however well explained, is an indication; {_swayed(entry)} can "
        "sway models of this kind.",
    ]
    out += _read_from(critic)
    if entry["baseline"]["compared"]:
        out.append("It depends on the baseline: measured against another image, other regions can come out strongest.")
    if layer := entry["attributions"][entry["method"]]["params"].get("layer"):
        out.append(f"It shows the judge's layer {layer} alone: the map of another layer can lie elsewhere.")
    if found["auc"] is not None:
        counts = critic["auc_reals"], critic["auc_fakes"]
        size = f", from {counts[0]:,} reals and {counts[1]:,} fakes" if all(counts) else ""
        size += " of all classes," if critic.get("pooled") else ""
        out.append(
            f"The judge's AUC is {found['auc']:.3f}{size} of the kind it was made for. It says nothing of "
            "images of other kinds, and a high AUC does not make the stated chance right."
        )
    if critic["slope"] is not None:
        out.append(
            f"The stated chance assumes that {words.percent(critic['real_share'])} of the images that one looks at are "
            "real; where fakes are rarer or more common, it is another one."
        )
    return out
