"""The command-line programs: `garden.tools` when installed, each with a `garden-<name>` script."""
