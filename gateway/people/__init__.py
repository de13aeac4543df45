"""People: who may do what (`roles`), who they are (`accounts`), who is here now (`sessions`)."""
