"""Tasks: where raw data comes from and how it becomes examples. Imports unified_io, never the other way."""
