"""Modality encoders: media to tokens. They never know the backbone that reads the tokens."""
