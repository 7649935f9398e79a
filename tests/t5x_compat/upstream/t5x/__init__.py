"""A stand-in for T5X that its launcher can start: the calls of the real one, in its order and with its arguments.

Written down from reading T5X: what it calls of a model, of an optimizer, of tasks and of a feature converter, and no
more. Here is none of its code.
"""
