"""The page: `workshop` does the work and knows no browser, `cards` writes HTML of what came out,
`page` is the form, `server` serves it. The last two need the extra `web`.
"""
