"""Recordings -> a style: what players played bar by bar, and how."""
