"""The page: `jobs` does the work and knows no browser, `html` writes HTML of what came out, `page`
is the form, `controller` does what it asks for, `guard` stands before it, `server` serves it.

All but `limits` and `sessions` need the extra `web`.
"""
