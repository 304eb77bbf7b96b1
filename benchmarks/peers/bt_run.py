"""bt: `WeighTarget` and `Rebalance` at every bar, fractions of a share. Arguments: data.npz, fee, repeats."""

import json
import resource
import sys
from time import perf_counter, process_time

import bt
import numpy as np
import pandas as pd

data = np.load(sys.argv[1])
fee, repeats = float(sys.argv[2]), int(sys.argv[3])
index = pd.DatetimeIndex(data["times"].view("datetime64[ns]"))
close = pd.DataFrame(data["close"], index, [str(name) for name in data["symbols"]])
weights = pd.DataFrame(data["weights"], index, close.columns)
seconds, cpu = [], []
for _ in range(repeats):
    begun, used = perf_counter(), process_time()
    algos = [bt.algos.RunEveryNPeriods(1), bt.algos.WeighTarget(weights), bt.algos.Rebalance()]
    strategy = bt.Strategy("peer", algos)
    test = bt.Backtest(
        strategy, close, initial_capital=100_000.0, integer_positions=False, progress_bar=False,
        commissions=lambda quantity, price: abs(quantity) * price * fee,
    )  # fmt: skip
    test.run()
    final = float(test.strategy.value)
    seconds.append(perf_counter() - begun)
    cpu.append(process_time() - used)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = {"seconds": seconds, "cpu": cpu, "final": final, "mb": peak / 1024, "version": bt.__version__}
print(json.dumps(found))
