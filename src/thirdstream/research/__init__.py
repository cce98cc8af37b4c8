"""Around a publication: the figures and claims of the paper, and the search for better sizes."""
