"""Execution of stages in shards, on this machine or a cluster."""
