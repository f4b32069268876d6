"""Coqui models: their files, training and inference, shared by the synthesizers beside this."""
