"""COIL-100, as a TFDS data set."""
