"""Small experiments that ask which claims about connectors show on real digits, seen and heard."""
