"""Training: the loop, the folder of a run, augmentation."""
