"""The commands, a file for each part of the work; signatures and docstrings are their --help."""
