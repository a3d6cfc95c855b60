"""Celebrities in Frontal-Profile: photographs from the front and the side, and the protocol."""
