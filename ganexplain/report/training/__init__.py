"""A page on how a training goes or went, from the files in its folder alone."""
