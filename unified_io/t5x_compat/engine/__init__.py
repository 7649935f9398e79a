"""T5X's entry points on our engine: functions and configs with the names and arguments that T5X's users bind by gin.

`train.train`, `evaluate.evaluate` and `infer.infer` return jobs of our command line; `configs` is imported as `utils`.
"""
