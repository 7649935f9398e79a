"""Which split a content without a scene belongs to, such as a sentence or a room: by its hash, as scenes do."""

import hashlib

from data_tasks.toy.splits import split

_BUCKETS = 10


def belongs(content: str, name: str) -> bool:
    """Whether a content belongs to a split of the toy world; of train, validation and test it belongs to just one.

    Args:
      content: What must not be met in another split, written in one way only.
      name: The split.

    Raises:
      ConfigError: There is no such split.
    """
    part = int.from_bytes(hashlib.sha256(content.encode()).digest()[:4], "big") % _BUCKETS
    return part in split(name).buckets
