"""Backbones: embeddings to hidden states. They never know where an embedding came from."""
