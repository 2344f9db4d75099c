"""Templates: what fills them, how long their scenes are, and how both become a timeline."""
