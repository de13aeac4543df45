"""JSON for programs under /api/v1, and its OpenAPI description made from the same models.

A program signs in like a person (`POST /api/v1/sessions`) and sends the token it gets as
`Authorization: Bearer …`; it may do what that person's role may do, and no more. One table
(`routes.ROUTES`) holds every path with its permission and its models; `endpoint` runs them all;
`openapi` describes them. `health` is for whoever watches the process.
"""
