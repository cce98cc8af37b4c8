"""A recording played by units of other recordings (audio mosaicing; Zils and Pachet 2001), which is
corpus-based concatenative synthesis (Schwarz 2006) with notes as the descriptors."""
