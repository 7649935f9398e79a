"""A stand-in for T5X that its launcher can start: gin names as T5X's run files know them, and the stand-in trainer."""
