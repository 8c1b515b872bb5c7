"""The model: network, activations, loss and penalties."""
