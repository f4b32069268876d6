"""The page of `twister annotate`.

The server is not imported here, because its packages are optional.
"""
