"""The loop as Prefect flows; nothing of the library knows that this room exists."""
