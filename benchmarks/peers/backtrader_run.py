"""backtrader: `order_target_percent` of every name at every bar, filled at the close.

Arguments: data.npz, fee, repeats.
"""

import json
import resource
import sys
from time import perf_counter, process_time

import backtrader
import numpy as np
import pandas as pd

data = np.load(sys.argv[1])
fee, repeats = float(sys.argv[2]), int(sys.argv[3])
index = pd.DatetimeIndex(data["times"].view("datetime64[ns]"))
close, weights = data["close"], data["weights"]


class Targets(backtrader.Strategy):
    def next(self):
        bar = len(self) - 1
        held = [self.getposition(feed).size * feed.close[0] for feed in self.datas]
        wanted = weights[bar] * self.broker.getvalue()
        for i in np.argsort(wanted - np.array(held)):  # reductions first
            self.order_target_percent(self.datas[i], target=float(weights[bar, i]))


seconds, cpu = [], []
for _ in range(repeats):
    cerebro = backtrader.Cerebro(stdstats=False)
    cerebro.broker.setcash(100_000.0)
    cerebro.broker.setcommission(commission=fee)
    cerebro.broker.set_coc(True)
    for i in range(close.shape[1]):
        column = close[:, i]
        frame = pd.DataFrame({"open": column, "high": column, "low": column, "close": column, "volume": 1e9}, index)
        cerebro.adddata(backtrader.feeds.PandasData(dataname=frame))
    cerebro.addstrategy(Targets)
    begun, used = perf_counter(), process_time()
    cerebro.run()
    final = float(cerebro.broker.getvalue())
    seconds.append(perf_counter() - begun)
    cpu.append(process_time() - used)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = {"seconds": seconds, "cpu": cpu, "final": final, "mb": peak / 1024, "version": backtrader.__version__}
print(json.dumps(found))
