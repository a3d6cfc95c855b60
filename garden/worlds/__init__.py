"""Simulators that make labelled data and know no method."""
