"""Weights of others as weights of ours, and back: tables of names, readers and writers of their files."""
