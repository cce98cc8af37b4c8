"""Does it work? Metrics, judges, the command `evaluate`, and the page `report` makes of it.

Nothing in here is trained against: a network that judges is never part of a loss.
"""
