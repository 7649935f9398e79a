"""Conversations: who says what, with media anywhere in the words, and how a language model is to read them."""
