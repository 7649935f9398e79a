"""Training: one loop, one state, one step; knows no modality by name."""
