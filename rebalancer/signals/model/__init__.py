"""The trained model: what it looks at, its two files, and its opinion.

    features    daily closes to features: the one text that training and scoring share
    booster     XGBoost, the only module that imports it
    files       the two files of a model: read whole and checked by hash, or not used at all
    opinion     features to score and confidence, by the calibration of the model's own file

Nothing of it is loaded before the process that asks the sources, or a command of `rebalancer model`, needs it. Training
is in `research/model/`.
"""
