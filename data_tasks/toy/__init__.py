"""The toy world: scenes made of a seed, with everything that is true of them."""
