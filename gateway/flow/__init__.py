"""Where the leaves meet: call → ticket, recording ↔ both, work order out and its answer back."""
