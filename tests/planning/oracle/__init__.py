"""The planner of edition 2, kept as an oracle: an independent text of the same rules in Decimals and numpy arrays.

It decides ties by the last bit of a float: 0.05 x 0.7 x 0.3 is 0.010499999999999999 there, which loses a share. Where
it and the numeric core differ, that must be the reason (`test_oracle`).
"""
