"""T5X's flags, and what it does with gin files."""

import os

import gin
from absl import app, flags


@gin.register
def summarize_gin_config(model_dir, summary_writer, step):
    """Writes the configuration down."""
    os.makedirs(model_dir, exist_ok=True)
    with open(os.path.join(model_dir, "config.gin"), "w") as file:
        file.write(gin.config_str())


def run(function):
    """Parses the flags of the command line and calls a function as gin files configure it."""
    # T5X, too, looks at the flags a first time before it rewrites those of gin.
    import jax

    jax.config.parse_flags_with_absl()
    flags.DEFINE_multi_string("gin_file", None, "")
    flags.DEFINE_multi_string("gin_bindings", [], "")
    flags.DEFINE_list("gin_search_paths", ["."], "")
    flags.DEFINE_string("tfds_data_dir", None, "")
    flags.DEFINE_list("seqio_additional_cache_dirs", [], "")
    flags.DEFINE_boolean("multiprocess_gpu", False, "")

    def main(argv):
        if len(argv) > 1:
            raise app.UsageError(f"too many arguments: {argv[1:]}")
        configured = gin.configurable(function)
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        for folder in [*flags.FLAGS.gin_search_paths, root]:
            gin.add_config_file_search_path(folder)
        gin.parse_config_files_and_bindings(flags.FLAGS.gin_file, flags.FLAGS.gin_bindings)
        configured()

    app.run(main, flags_parser=lambda args: app.parse_flags_with_usage([_rewritten(arg) for arg in args]))


def _rewritten(arg):
    """`--gin.NAME=VALUE` as `--gin_bindings=NAME = VALUE`."""
    if not arg.startswith("--gin."):
        return arg
    name, value = arg.removeprefix("--gin.").split("=", maxsplit=1)
    return f"--gin_bindings={name} = {value}"
