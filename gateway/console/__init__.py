"""The console: the pages that people work on.

`routes` is the one table of pages and who may open them; `guard` stands before every handler;
`pages/` are the handlers, a file for each place; `templates/` and `static/` are what is seen.
"""
