"""Tokenizers and vocoders trained from scratch on what needs no download, and judged by what they never saw."""
