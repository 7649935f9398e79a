"""`python -m unified_io.t5x_compat train|eval|infer FLAGS`: upstream T5X with our models, where it is installed."""

import sys
from collections.abc import Sequence

from unified_io.errors import UnifiedIOError
from unified_io.t5x_compat import launcher

USAGE = f"usage: python -m unified_io.t5x_compat {'|'.join(launcher.MODES)} T5X_FLAGS"
WRONG_INPUT = 2


def main(argv: Sequence[str]) -> int:
    """Hands over to T5X; returns 2 with the reason where that can not be."""
    if not argv:
        print(USAGE, file=sys.stderr)
        return WRONG_INPUT
    try:
        launcher.launch(argv[0], argv[1:])
    except UnifiedIOError as error:
        print(f"{USAGE}\n{error}", file=sys.stderr)
        return WRONG_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
