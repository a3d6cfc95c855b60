"""garden: four published vision methods on one path to train, evaluate, export and serve them.

The rooms (`garden.subspace`, ...) are imported one by one, so that `import garden` stays cheap.
"""

__version__ = "0.1.0"
