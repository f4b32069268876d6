"""Toy world of the tests; it is the one of `twister demo --toy`."""

from twister_loop.cli.toy_demo import (
    DEVELOPMENT,
    HUMAN,
    POOL,
    RETENTION,
    TEST,
    TEXTS,
)
from twister_loop.cli.toy_demo import record_texts as speak
from twister_loop.cli.toy_demo import write_toy_world as build

__all__ = ["DEVELOPMENT", "HUMAN", "POOL", "RETENTION", "TEST", "TEXTS", "build", "speak"]
