"""Formats: how one raw example becomes a prompt, inputs and a target. A format serves many tasks and knows none."""
