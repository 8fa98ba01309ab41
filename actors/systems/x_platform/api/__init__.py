"""The embedded X's HTTP side: X API v2, closely enough for any client of it.

Bodies are X's own, as its documentation (docs.x.com), its OpenAPI description and the answers that
its users have quoted show them; where none of them says, the docstring says what was decided.
"""
