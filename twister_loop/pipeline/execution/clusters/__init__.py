"""Clusters: who is given the shards of a stage. One file each, named as plans name it."""
