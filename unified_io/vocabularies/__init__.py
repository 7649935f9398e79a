"""Text vocabularies that ship with the package; `tools/train_vocabulary.py` makes them, `vocab.py` reads them."""
