"""The attribution methods. One method a file."""
