"""Names of a state of training in a checkpoint: those of T5X, so that either engine reads what the other wrote.

in memory       step        params/…  opt_state/…         extra/…
in checkpoints  state/step  target/…  state/param_states/…  state/extra/…
"""

PARAMS = "target"
"""Where the parameters lie in a checkpoint."""
_RENAMED = {"params": PARAMS, "opt_state": "state/param_states"}
_REST = "state"


def stored(name: str) -> str:
    """Returns the name in a checkpoint of a leaf of a state."""
    top, _, rest = name.partition("/")
    return f"{_RENAMED[top]}/{rest}" if top in _RENAMED else f"{_REST}/{name}"


def in_memory(name: str) -> str:
    """Returns the name in a state of a leaf in a checkpoint; the inverse of `stored`."""
    for ours, theirs in _RENAMED.items():
        if name.startswith(f"{theirs}/"):
            return f"{ours}/{name.removeprefix(f'{theirs}/')}"
    return name.removeprefix(f"{_REST}/")
