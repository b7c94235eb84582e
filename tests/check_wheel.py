"""Check an installed wheel: ``python check_wheel.py WHEEL``, run by its environment outside the repository."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Page(HTMLParser):
    """Reads a page; every element has to be closed, and nothing is fetched from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that was opened, and refuse a source that is not in the page."""
        if tag not in VOID:
            self.open.append(tag)
        self.images += tag == "img"
        for name, value in attrs:
            fetched = name == "src" or (tag == "link" and name == "href")
            if fetched and re.match(r"(https?:)?//", value or ""):
                raise SystemExit(f"the report fetches {value} from the network")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element such as ``<path/>`` opens and closes at once."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Refuse an end that has no beginning."""
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            raise SystemExit(f"the report closes <{tag}> in line {self.getpos()[0]} where it is not open")


def refuse_constant(name: str) -> None:
    """JSON has neither NaN nor infinity, though Python reads them."""
    raise SystemExit(f"{name} is no JSON")


def check_files(wheel: Path) -> None:
    """The wheel holds the package, its type marker and its licences, and nothing else."""
    names = zipfile.ZipFile(wheel).namelist()
    stray = {name.split("/")[0] for name in names if not name.startswith("ganexplain")}
    missing = [end for end in ("ganexplain/py.typed", "licenses/LICENSE", "licenses/NOTICE", "entry_points.txt",
                           "bundled/fashion.safetensors", "bundled/classifier.safetensors", "classifier.card.json")
               if not any(name.endswith(end) for name in names)]  # fmt: skip
    if stray or missing:
        raise SystemExit(f"the wheel holds {sorted(stray)} besides the package and lacks {missing}")


def offline() -> list[str]:
    """The prefix of a command that runs without any network, where the system has one."""
    prefix = ["unshare", "--map-root-user", "--net"]
    usable = shutil.which(prefix[0]) and subprocess.run([*prefix, "true"], capture_output=True).returncode == 0
    return prefix if usable else []


def check_demo(out: Path) -> str:
    """``ganexplain demo`` writes a report that a browser and a program can read, and says nothing when asked so."""
    command = [*offline(), str(Path(sys.executable).parent / "ganexplain"), "demo", "--quiet", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or done.stderr:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    pages, records = sorted(out.rglob("*.html")), sorted(out.rglob("*.json"))
    if not pages or not records:
        raise SystemExit(f"the demo wrote {pages + records}, but a page and a JSON file are needed")
    for path in pages:
        page = Page()
        page.feed(path.read_text(encoding="utf-8"))
        page.close()
        if page.open or not page.images:
            raise SystemExit(f"{path.name} leaves {page.open} open and has {page.images} images")
    for path in records:
        if not json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse_constant):
            raise SystemExit(f"{path.name} is empty")
    return f"{len(pages)} page and {len(records)} JSON files{'' if offline() else ' (network not shut off)'}"


def main() -> None:
    """Run all checks; the first that fails ends the program with one sentence."""
    import ganexplain

    home = Path(ganexplain.__file__).resolve()
    if not home.is_relative_to(Path(sys.prefix).resolve()):
        raise SystemExit(f"ganexplain comes from {home}, not from the wheel in {sys.prefix}")
    check_files(Path(sys.argv[1]))
    sys.stdout.write(f"wheel: {check_demo(Path('demo').resolve())}\n")


if __name__ == "__main__":
    main()
