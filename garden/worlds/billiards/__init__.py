"""Balls on a table: drawn at random, moved by MuJoCo without friction, seen from above.

`scene` holds tables as plain arrays, `physics` moves their balls, `renderer` sees them.
"""
