"""Mel power -> wave."""
