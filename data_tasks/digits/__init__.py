"""Digits Any-to-Any: one concept, 0 to 9, as handwriting, speech, text and pen strokes."""
