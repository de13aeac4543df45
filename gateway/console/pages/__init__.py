"""The handlers, a file for each place: read or act in one unit of work, then render."""
