"""Unified-IO 2 once more: plain NumPy, formula by formula, in float64, slow.

Nothing of `unified_io` is imported here and nothing was carried over from it: whoever finds the two disagree has
found a mistake. Weights have the names and layouts of the PyTorch port; so have configs, which are the content of its
`config.json`. Arrays are [batch, length, width]; masks are bool, True = real.
"""
