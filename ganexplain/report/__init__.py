"""What a person reads: one page, the same as JSON, and the arrays behind it."""
