"""Parts of networks: attention, masks, positions, norms, MLPs and stacks of blocks. They know no modality."""
