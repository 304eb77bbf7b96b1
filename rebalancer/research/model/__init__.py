"""Training of the model: samples without look-ahead, a purged validation over time, and the two files.

samples       prices to rows of features with labels, and when each label is known
validation    folds that never see their own future, and what they say
calibration   what a score of some size has earned
training      all of it, for `rebalancer model train`
"""
