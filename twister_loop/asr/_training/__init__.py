"""Training code shared by Whisper and the models that are trained from scratch."""
