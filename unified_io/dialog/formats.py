"""How conversations are written for a language model: marks of roles, tokens, and what stands around media.

Knows no kind of medium: the words that a format has for kinds come from whoever configures it.
"""

import dataclasses
import re
from collections.abc import Mapping
from string import ascii_lowercase
from typing import Literal

from unified_io.errors import ConfigError, DataError

_SLOTS = ("name", "number", "letter")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MediaStyle:
    """How media stand in the words.

    Attributes:
      at: "inline" where the author put them, "question" before the words of their turn, "first" before everything, even
        the token that begins a text.
      cue: Words before a medium. Slots: {name} of its kind, {number} (from 1) and {letter} (from a) in the dialog.
      around: What stands before and after a medium; the tokens of the format are tokens here.
      placeholder: The token whose embeddings the medium takes; "" where the tokenizer has none. Slot: {name}.
      names: (kind, what cue and placeholder call it); other kinds are called by their own names.
    """

    at: Literal["inline", "question", "first"] = "inline"
    cue: str = ""
    around: tuple[str, str] = ("", "")
    placeholder: str = ""
    names: tuple[tuple[str, str], ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "around", tuple(self.around))
        object.__setattr__(self, "names", tuple(map(tuple, self.names)))
        if self.at not in ("inline", "question", "first"):
            raise ConfigError(f"media can not stand at {self.at!r}; choose 'inline', 'question' or 'first'")
        for text in (self.cue, self.placeholder):
            if wrong := set(re.findall(r"\{(\w*)\}", text)) - {*_SLOTS}:
                raise ConfigError(f"{text!r} has a slot {{{wrong.pop()}}}; there are {', '.join(_SLOTS)}")

    def fill(self, text: str, kind: str, number: int) -> str:
        """Fills the slots of a cue or a placeholder for the medium of that number, the first being 1.

        Raises:
          DataError: There is no letter for it.
        """
        if "{letter}" in text and number > len(ascii_lowercase):
            raise DataError(
                f"{text!r} has a letter for {len(ascii_lowercase)} media; use {{number}} for more"
            )
        letter = ascii_lowercase[(number - 1) % len(ascii_lowercase)]
        words = (dict(self.names).get(kind, kind), str(number), letter)
        return re.sub(r"\{(\w+)\}", lambda slot: words[_SLOTS.index(slot[1])], text)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChatFormat:
    """What is written before and after the turns of each role. An empty mark is none.

    Attributes:
      tokens: Spellings that are single tokens in the marks below; in what people say they are plain words.
      begin: Before everything but media that come first.
      system: Before and after the system message.
      system_inside: Whether the system message stands within the first turn of the user, behind its mark.
      user: Before and after a turn of the user.
      bot: Before and after a turn of the bot. The first is the end of a prompt, the other ends an answer.
      lead: Between the mark of a bot and its words; it is part of the answer, not of the prompt.
      alternate: Whether the turns are user, bot, user, bot.
      one_round: Whether there can be only one question.
      lower: Whether what is said is put in lower case.
      reserved: Spellings that nobody may say, since they would be read as marks.
      media: How media stand in the words.
    """

    tokens: tuple[str, ...] = ("<s>", "</s>")
    begin: str = "<s>"
    system: tuple[str, str] = ("", "")
    system_inside: bool = False
    user: tuple[str, str] = ("", "")
    bot: tuple[str, str] = ("", "</s>")
    lead: str = " "
    alternate: bool = True
    one_round: bool = False
    lower: bool = False
    reserved: tuple[str, ...] = ()
    media: MediaStyle = MediaStyle()

    def __post_init__(self):
        for name in ("tokens", "system", "user", "bot", "reserved"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # gin hands lists over
        if not any(token and self.bot[1].endswith(token) for token in self.tokens):
            raise ConfigError(
                f"a turn of the bot ends with {self.bot[1]!r}, which is none of the tokens {self.tokens}; let it end "
                "with one, or nothing would end an answer"
            )

    @property
    def stop(self) -> str:
        """The token that ends an answer."""
        return max((token for token in self.tokens if self.bot[1].endswith(token)), key=len)


VICUNA = ChatFormat(system=("", " "), user=("USER: ", " "), bot=("ASSISTANT:", "</s>"))
"""Version 1.1. Turns follow the end of an answer without a blank."""

LLAMA2 = ChatFormat(
    begin="",
    system=("<<SYS>>\n", "\n<</SYS>>\n\n"),
    system_inside=True,
    user=("<s>[INST] ", " [/INST]"),
    bot=("", " </s>"),
    reserved=("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"),
)
"""LLaMA-2 chat, which AnyMAL asks; every round begins a text of its own. Media stand where their author put them."""

LYNX = ChatFormat(
    system=("", "\n"),
    user=("User: ", "\n"),
    bot=("Bot:", "</s>"),
    lower=True,
    media=MediaStyle(at="first"),
)
"""Vision tokens come before the token that begins the text, and nothing marks them.

What parts the rounds of a longer conversation is written nowhere; here it is the end of the answer, as in Vicuna.
"""

S3 = ChatFormat(
    tokens=("<s>", "<RS>", "</RS>", "<MS>", "</MS>", "<user>", "<bot>", "<system>"),
    system=("<RS><system>", "</RS>"),
    user=("<RS><user>", "</RS>"),
    bot=("<RS><bot>", "</RS>"),
    lead="",
    alternate=False,
    media=MediaStyle(around=("<MS>", "</MS>"), placeholder="<{name}>"),
)
"""Every message is between its own tokens, so that anybody may speak twice. Its answers end with </RS>, not </s>."""

BARE = ChatFormat(one_round=True, media=MediaStyle(at="question", cue=" {name}: "))
"""X-InstructBLIP: a prefix (the system message), each medium behind its cue, the instruction. No role has a mark.

DisCRn enumerates: `dataclasses.replace(BARE.media, cue=" ({letter}) {name}: ")`.
"""

FORMATS: Mapping[str, ChatFormat] = {
    "vicuna": VICUNA,
    "llama2": LLAMA2,
    "lynx": LYNX,
    "s3": S3,
    "bare": BARE,
}
