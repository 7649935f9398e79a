"""Counts the parameters of a model by gin file, without making one.

python tools/count_params.py --gin_file=gin_configs/model/large.gin
"""

import argparse
import math
from collections import Counter

import flax.linen as nn

from unified_io import pytree
from unified_io.gin_edge import session
from unified_io.model import parameter_shapes
from unified_io.reliability.memory import component


def main() -> None:
    """Prints one line a part of the model, and the total last."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gin_file", action="append", required=True, help="model file; may be repeated")
    parser.add_argument("--gin_bindings", action="append", default=[], help="NAME=VALUE")
    args = parser.parse_args()
    config = session.build_macro(session.parse(args.gin_file, args.gin_bindings), "MODEL")
    counts: Counter[str] = Counter()
    for name, leaf in pytree.named_leaves(nn.unbox(parameter_shapes(config))).items():
        counts[component(name)] += math.prod(leaf.shape)
    width = max(len(part) for part in counts)
    for part, count in counts.items():
        print(f"{part:{width}} {count:>14,}")
    print(f"total {counts.total()}")


if __name__ == "__main__":
    main()
