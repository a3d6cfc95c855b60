"""Label-efficient transfer across domains and tasks, as Keras layers and losses."""
