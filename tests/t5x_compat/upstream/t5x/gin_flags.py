"""T5X's gin flags."""

import sys

import gin


def parse(main):
    """Reads the gin files and bindings of the command line; returns `main` as they configure it."""
    configured = gin.configurable(main)
    files, bindings = [], []
    for flag in sys.argv[1:]:
        name, _, value = flag.partition("=")
        if name == "--gin_file":
            files.append(value)
        elif name == "--gin_search_paths":
            for path in value.split(","):
                gin.add_config_file_search_path(path)
        else:
            bindings.append(f"{name.removeprefix('--gin.')} = {value}")
    gin.add_config_file_search_path(__file__.rpartition("/t5x/")[0])
    gin.parse_config_files_and_bindings(files, bindings)
    return configured
