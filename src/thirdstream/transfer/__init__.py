"""From a recording to its transfer: files and folders, rate, loudness and dynamics."""
