"""The wing of the paper: wave -> mel -> model -> mel -> wave."""
