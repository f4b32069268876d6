"""How texts are compared, one way a file."""
