"""Drills: what this package promises, put to the test on a tiny real job in a temporary folder."""
