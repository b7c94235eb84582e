"""``ganexplain methods``: the attribution methods, domains, baselines, finders and layouts that there are."""

from __future__ import annotations

import typer


def run(as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """List attribution methods, domains, baselines, direction finders and layouts with what each needs and says."""
    from ganexplain.attribution import listing as attribution
    from ganexplain.cli._console import emit
    from ganexplain.latent import listing as latent
    from ganexplain.models.foreign import listing as layouts

    parts = {**attribution(), **latent(), **layouts()}
    if as_json:
        emit(parts)
        return
    width = 2 + max(len(name) for rows in parts.values() for name in rows)
    for kind, rows in parts.items():
        print(f"{kind}:")
        for name, row in rows.items():
            facts = ", ".join(str(fact) for fact in row["facts"])
            print(f"  {name:{width}}{row['summary']}" + (f" [{facts}]" if facts else ""))
