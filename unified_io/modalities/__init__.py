"""One file a modality: raw field -> features -> embeddings, and hidden states -> logits -> raw field."""
