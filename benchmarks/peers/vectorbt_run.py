"""vectorbt: `from_orders` on target percents, one cash account. Arguments: data.npz, fee, repeats."""

import json
import resource
import sys
from time import perf_counter, process_time

import numpy as np
import pandas as pd
import vectorbt as vbt

data = np.load(sys.argv[1])
fee, repeats = float(sys.argv[2]), int(sys.argv[3])
close = pd.DataFrame(data["close"], columns=[str(name) for name in data["symbols"]])
weights = pd.DataFrame(data["weights"], columns=close.columns)
seconds, cpu = [], []
for _ in range(repeats):
    begun, used = perf_counter(), process_time()
    portfolio = vbt.Portfolio.from_orders(
        close, weights, size_type="targetpercent", group_by=True, cash_sharing=True, call_seq="auto", fees=fee,
        init_cash=100_000.0, freq="1D",
    )  # fmt: skip
    final = float(portfolio.final_value())
    seconds.append(perf_counter() - begun)
    cpu.append(process_time() - used)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = {"seconds": seconds, "cpu": cpu, "final": final, "mb": peak / 1024, "version": vbt.__version__}
print(json.dumps(found))
