"""COIL-20, as a TFDS data set."""
