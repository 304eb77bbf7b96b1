"""skfolio: the prices of 20 stocks that come with it, as arrays. Arguments: data.npz, first day, last day."""

import sys

import numpy as np
import skfolio
from skfolio.datasets import load_sp500_dataset

prices = load_sp500_dataset().loc[sys.argv[2] : sys.argv[3]]
np.savez(
    sys.argv[1],
    close=prices.to_numpy(np.float64),
    symbols=np.array(list(prices.columns)),
    day=np.array([day.toordinal() for day in prices.index]),
)
print(skfolio.__version__)
