"""One output as it comes: text token by token, pictures row by row. Knows no modality by name."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Int

from unified_io.api.compiled import compiled, rooms
from unified_io.api.generating import Call, Generating
from unified_io.api.options import OPTIONS, Options
from unified_io.errors import ConfigError

_TOKENS = 4  # of what lies in a line, at once


class Partial:
    """An output of which a part is written.

    Attributes:
      read: How many tokens of the prompt were read, those of media too.
      tokens: How many tokens are written.
      of: The most there can be.
      done: Whether this is the whole output, the one that `generate` returns.
    """

    def __init__(self, read: int, tokens: int, of: int, done: bool, show: Callable[[], Any]):
        self.read, self.tokens, self.of, self.done, self._show = read, tokens, of, done, show

    @functools.cached_property
    def value(self) -> Any:
        """The output as `generate` returns it, blank where nothing is written yet; made when it is asked for."""
        return self._show()

    def __repr__(self) -> str:
        return f"Partial({self.tokens} of at most {self.of} tokens{', done' if self.done else ''})"


class Streaming(Generating):
    """Writes one output and shows it on the way."""

    def stream(
        self, output: str = "text", *, every: int | None = None, **inputs_and_options: Any
    ) -> Iterator[Partial]:
        """Makes one output, and tells of it while it is written.

            for partial in model.stream("image", text="a red square"):
                show(partial.value)

        Args:
          output: Name of the target modality.
          every: Tokens from one `Partial` to the next; without, a few of text and a row of a picture.
          inputs_and_options: As for `generate`; one sample, no beams and no progress.

        Yields:
          A `Partial`, at least one; the last is done.

        Raises:
          ConfigError: As `generate`, or an option that does not go with one output that grows.
        """
        if every is not None and every < 1:
            raise ConfigError(f"every {every!r} is not a whole number of tokens from 1 up")
        call = self.prepare(output, **inputs_and_options)
        return self._follow(call, every or call.target.columns or _TOKENS)

    def prepare(self, output: str, **inputs_and_options: Any) -> Call:
        """Lays the inputs of one output out; arguments and errors are those of `stream`."""
        inputs = {k: v for k, v in inputs_and_options.items() if k not in OPTIONS}
        options = Options.read({k: v for k, v in inputs_and_options.items() if k in OPTIONS})
        if options.samples > 1 or options.beams > 1 or options.progress:
            raise ConfigError("what grows is one output; leave samples, beams and progress out")
        self._trained(options.allow_random)
        return self._call([self.read(inputs, output)], 0, self.config.target(output), options)

    def partial(self, call: Call, tokens: Int[np.ndarray, "1 length"], count: int, done: bool) -> Partial:
        """Returns what `count` tokens of an output come to."""

        def show() -> Any:
            rendered = compiled(call.config).render(self.params, tokens, target=call.target.name)
            written = call.target.written(np.asarray(rendered[0]), count)
            return self._present(call.target, call.target.detokenize(written))

        return Partial(call.read, count, call.length, done, show)

    def _follow(self, call: Call, every: int) -> Iterator[Partial]:
        functions = compiled(call.config)
        form = {"target": call.target.name, "constraint": call.constraint}
        room = rooms(call.length)[0]
        writing = functions.begin(self.params, *call.begun, length=call.length, room=room)
        done = False
        while not done:
            writing = functions.extend(self.params, writing, call.scale, call.sampler, every, **form)
            done = not writing.running[0]
            yield self.partial(call, np.asarray(writing.tokens), int(writing.index), done)
