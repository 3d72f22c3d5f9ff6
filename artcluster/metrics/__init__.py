"""How good clusters are, with and without known labels."""
