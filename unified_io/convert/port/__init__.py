"""Configs of the PyTorch port as ours, and back: one file a part of the model. Knows no weights."""
