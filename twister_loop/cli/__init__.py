"""The `twister` command."""
