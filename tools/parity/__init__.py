"""Our numbers beside those of the official implementations: one module a family of fixtures, see `fixture`."""
