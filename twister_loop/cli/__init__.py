"""Command line: the `twister` command."""
