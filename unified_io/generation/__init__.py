"""From logits to token ids: samplers, the decoding loop and constraints. Knows nothing but logits and ids."""
