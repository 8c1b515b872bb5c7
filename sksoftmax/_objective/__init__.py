"""The objective F(w) and what its derivatives are made of."""
