"""The loss over a plane of the parameters."""
