"""One file a command that is not a verb of a job: its flags, and what it does. `cli` finds them by name."""
