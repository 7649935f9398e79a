"""Tokenizers: pixels or mel to codes and back. They know nothing of vocabularies or of the model that reads codes."""
