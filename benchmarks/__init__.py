"""Timings and figures that take minutes; none of it ships with the wheel."""
