"""A model over HTTP: its own interface, a part of OpenAI's, and a page to play with."""
