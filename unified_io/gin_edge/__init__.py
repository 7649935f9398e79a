"""The only place that knows gin: files and flags are read, checked, handed to gin, and one job comes out.

Files are read by us before gin reads them, because gin takes an unknown macro on the command line, a value of another
type and an import of anything at all without a word.
"""
