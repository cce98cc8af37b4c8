"""Systems that use networks of others, published at Hugging Face, by way of transformers.

transformers is imported where a network is loaded, and nowhere before.
"""
