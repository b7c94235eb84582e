"""The 24 faults of the published recipe, each shown by running it beside its repair."""
