"""The four connected systems on real digits, seen and heard: a language model that knows digits from text alone."""
