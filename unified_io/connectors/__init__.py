"""Connectors: tokens of a modality encoder to a few soft tokens. They never know which encoder made them."""
