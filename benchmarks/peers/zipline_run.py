"""zipline-reloaded: `order_target_percent` of every name on every day, on a bundle of CSV files that it ingests first;
seconds are of the algorithm alone. Arguments: data.npz, fee, repeats. Bars within a day are not supported here."""

import json
import os
import resource
import sys
import tempfile
from time import perf_counter, process_time

import numpy as np
import pandas as pd

data = np.load(sys.argv[1])
fee, repeats = float(sys.argv[2]), int(sys.argv[3])
folder = tempfile.mkdtemp()
os.environ["ZIPLINE_ROOT"] = folder

from zipline import __version__ as version  # noqa: E402
from zipline import run_algorithm  # noqa: E402
from zipline.api import order_target_percent, set_commission, set_slippage, symbol  # noqa: E402
from zipline.data.bundles import ingest, register  # noqa: E402
from zipline.data.bundles.csvdir import csvdir_equities  # noqa: E402
from zipline.finance import commission, slippage  # noqa: E402
from zipline.utils.calendar_utils import get_calendar  # noqa: E402

names = [str(name) for name in data["symbols"]]
close, weights = data["close"], data["weights"]
sessions = get_calendar("XNYS").sessions_in_range("2010-01-04", "2025-12-31")[: len(close)]
os.makedirs(f"{folder}/csv/daily")
for i, name in enumerate(names):
    column = close[:, i]
    frame = pd.DataFrame({"open": column, "high": column, "low": column, "close": column, "volume": 10**9,
                          "dividend": 0.0, "split": 1.0}, index=pd.Index(sessions, name="date"))  # fmt: skip
    frame.to_csv(f"{folder}/csv/daily/{name}.csv")
register("peer", csvdir_equities(["daily"], f"{folder}/csv"), calendar_name="XNYS")
ingest("peer", show_progress=False)
rows = {session: i for i, session in enumerate(sessions)}


def initialize(context):
    context.assets = [symbol(name) for name in names]
    set_commission(commission.PerDollar(cost=fee))
    set_slippage(slippage.NoSlippage())


def handle_data(context, bars):
    row = rows[bars.current_session.normalize().tz_localize(None)]
    for i, asset in enumerate(context.assets):
        order_target_percent(asset, float(weights[row, i]))


seconds, cpu = [], []
for _ in range(repeats):
    begun, used = perf_counter(), process_time()
    result = run_algorithm(
        start=sessions[0], end=sessions[-1], initialize=initialize, handle_data=handle_data, capital_base=100_000.0,
        bundle="peer", data_frequency="daily",
    )  # fmt: skip
    seconds.append(perf_counter() - begun)
    cpu.append(process_time() - used)
    final = float(result["portfolio_value"].iloc[-1])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = {"seconds": seconds, "cpu": cpu, "final": final, "mb": peak / 1024, "version": version}
print(json.dumps(found))
