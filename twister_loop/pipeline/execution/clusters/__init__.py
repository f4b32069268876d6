"""Clusters that process the shards of a stage, one file each, named as plans name them."""
