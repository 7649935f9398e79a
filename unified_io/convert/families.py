"""Which family a folder of weights is of, and what each family needs: names, a config, a place for it."""

import dataclasses
import json
from pathlib import Path

from unified_io import configuration
from unified_io.convert import uio2
from unified_io.convert.port import config as port_config
from unified_io.convert.rules import Rule, Table
from unified_io.convert.stores import is_t5x, read_json
from unified_io.errors import CheckpointError, ConfigError, unknown
from unified_io.model import UnifiedIOConfig

CONFIG_FILE, TOKENIZER_FILE = "config.json", "tokenizer.model"

# Our own names, layers apart. They hold dots nowhere, so they are their own pattern.
OURS = Table("unified-io", (Rule("{name...}", "{name...}"),))

TABLES = {"unified-io": OURS, "port": uio2.PORT, "t5x": uio2.T5X}


def table(family: str) -> Table:
    """Returns the names of a family beside ours.

    Raises:
      ConfigError: There is no such family.
    """
    if family not in TABLES:
        raise unknown("family of checkpoints", family, TABLES)
    return TABLES[family]


@dataclasses.dataclass(frozen=True)
class Family:
    """A folder's family by name, and the model it describes (None where the folder does not say)."""

    name: str
    config: UnifiedIOConfig | None

    @property
    def table(self) -> Table:
        """Its names beside ours."""
        return table(self.name)


def holds_model(path: str | Path) -> bool:
    """Whether a folder is a saved model or a T5X checkpoint, of any family."""
    return (Path(path) / CONFIG_FILE).is_file() or is_t5x(Path(path))


def home(path: str | Path) -> Path:
    """Returns the folder of the model: the one given, or of a training job's folder the `model` in it."""
    inner = Path(path) / "model"
    return inner if not holds_model(path) and holds_model(inner) else Path(path)


def recognise(path: str | Path, tokenizer: str | None = None) -> Family:
    """Finds out what a folder is: ours, the port's, or T5X's.

    Args:
      path: A folder, or the `config.json` of one.
      tokenizer: Path of the text tokenizer; unless given, `tokenizer.model` of the folder.

    Raises:
      CheckpointError: It is none of the three.
    """
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    file = folder / CONFIG_FILE
    beside = folder / TOKENIZER_FILE
    tokenizer = tokenizer or (str(beside) if beside.is_file() else None)
    if not file.is_file():
        if is_t5x(folder):
            return Family("t5x", None)
        raise CheckpointError(
            f"no {CONFIG_FILE} and no target.* in {str(folder)!r}: neither a saved model nor a T5X checkpoint"
        )
    content = read_json(file)
    if isinstance(content, dict) and "t5_config" in content:
        return Family("port", port_config.from_port(content, tokenizer=tokenizer or ""))
    config = configuration.from_json(file.read_text(encoding="utf-8"))
    if not isinstance(config, UnifiedIOConfig):
        raise CheckpointError(f"{file} describes a {type(config).__name__}, not a UnifiedIOConfig")
    return Family("unified-io", with_tokenizer(config, tokenizer))


def with_tokenizer(config: UnifiedIOConfig, path: str | None) -> UnifiedIOConfig:
    """Returns a config whose text is written with the tokenizer at `path`; the same where it brings its own."""

    def replaced(modality):
        vocabulary = getattr(modality, "vocabulary", None)
        if vocabulary is None or vocabulary.path is None:
            return modality
        return dataclasses.replace(modality, vocabulary=dataclasses.replace(vocabulary, path=path))

    if path is None:
        return config
    inputs, targets = (tuple(map(replaced, side)) for side in (config.inputs, config.targets))
    return dataclasses.replace(config, inputs=inputs, targets=targets)


def describe(config: UnifiedIOConfig, family: str) -> dict[str, bytes]:
    """Returns the files that describe a model in a family's folder, by name: its config and its tokenizer.

    Raises:
      ConfigError: The family can not describe this model.
    """
    if family == "t5x":
        return {}
    paths = {
        v.path for m in (*config.inputs, *config.targets) if (v := getattr(m, "vocabulary", None)) and v.path
    }
    if len(paths) > 1:
        raise ConfigError(
            f"the model's texts have different tokenizers: {', '.join(sorted(paths))}; give them one"
        )
    tokenizer = Path(next(iter(paths), ""))
    files = {TOKENIZER_FILE: tokenizer.read_bytes()} if tokenizer.is_file() else {}
    if family == "port":
        return files | {CONFIG_FILE: (json.dumps(port_config.to_port(config), indent=2) + "\n").encode()}
    # The tokenizer lies beside: its path is of no use on another machine.
    portable = with_tokenizer(config, TOKENIZER_FILE if files else "")
    return files | {CONFIG_FILE: configuration.to_json(portable).encode()}
