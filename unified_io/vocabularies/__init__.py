"""Text vocabularies that ship with the package: made by `tools/train_vocabulary.py`, read by `vocab.py`."""
