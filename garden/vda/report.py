"""Figures of the towers' de-animation."""


def sections(experiment, model):
  """The report's sections."""
  del experiment, model
  return []
