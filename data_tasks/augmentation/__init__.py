"""Augmentation: questions and answers that a language model writes from captions, kept where it agrees with itself."""
