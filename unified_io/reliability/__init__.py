"""What a run needs before it starts: a plan of its cost, and a check of the machine it starts on."""
