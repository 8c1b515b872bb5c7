"""Training data: what X and y are, and where the rows live."""
