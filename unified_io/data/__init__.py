"""Stored examples to packed batches: tasks bound to a configuration, rows by plan, and the loader."""
