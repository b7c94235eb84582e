"""The coordinates in which an image can be explained. One domain a file."""
