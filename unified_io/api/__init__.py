"""A trained model as people use it: load it, hand over files or arrays, get text, pictures, sound or actions back."""

from unified_io.api.loading import from_pretrained
from unified_io.api.model import UnifiedIO

__all__ = ["UnifiedIO", "from_pretrained"]
