"""Pure functions on raw fields: images, sounds, prompts, denoising. They know no modality and no model."""
