"""Where arrays would lie; takes what gin files bind."""


def standard_logical_axis_rules(additional_rules=None):
    return tuple(additional_rules or ())


class PjitPartitioner:
    def __init__(self, num_partitions=None, model_parallel_submesh=None, logical_axis_rules=None):
        self.rules = dict(logical_axis_rules or ())
