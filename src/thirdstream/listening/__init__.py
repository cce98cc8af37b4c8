"""Listening tests: the page on which people rate transfers, and what their answers say.

`making` renders the sounds and writes the page and the key; `answers` reads what listeners send
back; `summary` is their means and intervals, and `report` a page of these. Method: MUSHRA (ITU-R
BS.1534-3), with three questions in place of one, and blind comparisons of two.
"""
