"""What every comparison with Hugging Face shares."""

import sys

try:
    import torchaudio  # noqa: F401
except ImportError:
    pass
except OSError:
    # It was built for a GPU that is not here. transformers would trip over it; without it, it does without.
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
        del sys.modules[name]
    sys.modules["torchaudio"] = None
