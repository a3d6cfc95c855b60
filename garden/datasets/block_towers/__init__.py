"""Block towers that stand or fall, made by `garden.worlds.towers`, as a TFDS data set."""
