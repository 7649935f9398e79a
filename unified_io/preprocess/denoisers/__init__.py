"""The multimodal mixture of denoisers: what a raw example of pre-training is asked, drawn from its seed.

    record (Clip, Document, Captions, Views) -> Parts -> Choice (target, paradigm, what is given) -> raw fields

A choice has five steps: the target among what is present, the other inputs that stay, the paradigm ([R] restore a
corrupted copy, [S] make it from the others, [X] restore a text of which little is left), the mask, the prefix.

Source: Unified-IO 2, section 3.3 and appendix; it gives no probabilities: those of `Objective` are ours.
"""
