"""The commands of `fenta`, a module per group; each imports what it needs when it is called."""
