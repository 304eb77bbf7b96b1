"""Make the files of this folder with the libraries that people save them with. They are committed; to make them again:

    python -m venv /tmp/libs
    /tmp/libs/bin/pip install pandas==3.1.1 pyarrow pyfolio-reloaded==0.10.1 alphalens-reloaded==0.5.1 bt==1.4.1 \
        openpyxl==3.1.5
    /tmp/libs/bin/python tests/signals/saved/make.py

The prices are made up; the days are real trading days.
"""

from __future__ import annotations

import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import alphalens  # noqa: E402
import bt  # noqa: E402
import numpy as np  # noqa: E402
import openpyxl  # noqa: E402
import pandas as pd  # noqa: E402
import pyfolio  # noqa: E402

HERE = Path(__file__).parent
DAYS = pd.bdate_range("2026-11-02", "2026-11-20")
NAMES = ["AAPL", "AGG", "KO", "MSFT", "SPY", "XOM"]


def prices(count: int = len(DAYS)) -> pd.DataFrame:
    """Prices that move a little, USD."""
    days = pd.bdate_range(end=DAYS[-1], periods=count)
    rng = np.random.default_rng(7)
    steps = rng.normal(0, 0.01, (count, len(NAMES)))
    start = np.array([270.0, 99.6, 71.6, 478.0, 659.0, 117.0])
    return pd.DataFrame((start * np.exp(np.cumsum(steps, axis=0))).round(2), index=days, columns=NAMES)


def of_pandas() -> None:
    """Frames and series in every way that pandas writes them."""
    long = pd.DataFrame({"symbol": ["SPY", "AGG"], "weight": [0.6, 0.4]})
    long.to_csv(HERE / "pandas_long.csv")
    long.to_csv(HERE / "pandas_german.csv", index=False, sep=";", decimal=",", encoding="utf-8-sig")
    long.to_parquet(HERE / "pandas_long.parquet")
    long.to_excel(HERE / "pandas_long.xlsx", index=False)
    long.to_json(HERE / "pandas_records.json", orient="records")
    pd.Series([0.6, 0.4], index=pd.Index(["SPY", "AGG"], name="symbol"), name="weight").to_csv(
        HERE / "pandas_series.csv"
    )
    pd.Series([0.6, 0.4], index=["SPY", "AGG"]).to_csv(HERE / "pandas_unnamed.csv")
    wide = pd.DataFrame({"SPY": [0.5, 0.6], "AGG": [0.5, 0.4], "KO": [0.0, np.nan]}, index=DAYS[-2:])
    wide.to_csv(HERE / "pandas_wide.csv")
    wide.to_parquet(HERE / "pandas_wide.parquet")
    wide.tz_localize("America/New_York").to_csv(HERE / "pandas_wide_zone.csv")
    wide.rename_axis("date").reset_index().to_excel(HERE / "pandas_wide.xlsx", index=False)


def of_openpyxl() -> None:
    """A workbook as a person keeps it: per cent formats, names, a second sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Targets"
    for row in (["Ticker", "Name", "Weight"], ["SPY", "S&P 500", 0.6], ["AGG", "US bonds", 0.4], [None, None, None]):
        sheet.append(row)
    for cell in sheet["C"][1:]:
        cell.number_format = "0.00%"
    book.create_sheet("Notes")["A1"] = "rebalanced every quarter"
    book.save(HERE / "openpyxl_percent.xlsx")


def of_bt() -> None:
    """The weights of a backtest: 60 % and 40 % at every month, drifting in between."""
    strategy = bt.Strategy(
        "60/40",
        [bt.algos.RunOnce(), bt.algos.SelectAll(), bt.algos.WeighSpecified(SPY=0.6, AGG=0.4), bt.algos.Rebalance()],
    )
    result = bt.run(bt.Backtest(strategy, prices()[["SPY", "AGG"]], progress_bar=False))
    result.get_security_weights().to_csv(HERE / "bt_weights.csv")


def of_pyfolio() -> None:
    """Positions in USD and cash, as `pyfolio.pos.extract_pos` gives them."""
    rows = [
        {"dt": day, "sid": name, "amount": 10, "last_sale_price": float(price), "cost_basis": 1.0}
        for day, row in prices().iterrows()
        for name, price in row[["AAPL", "KO"]].items()
    ]
    held = pd.DataFrame(rows).set_index("dt").rename_axis("index")
    positions = pyfolio.pos.extract_pos(held, pd.Series(1000.0, index=DAYS))
    positions.to_csv(HERE / "pyfolio_positions.csv")
    positions.to_parquet(HERE / "pyfolio_positions.parquet")


def of_alphalens() -> None:
    """A factor with the forward returns and quantiles that alphalens adds."""
    closes = prices(40)
    factor = closes.pct_change(5).dropna().stack().rename_axis(["date", "asset"])
    data = alphalens.utils.get_clean_factor_and_forward_returns(
        factor, closes, quantiles=3, periods=(1, 5), max_loss=0.5
    )
    data.to_csv(HERE / "alphalens_factor.csv")
    data.to_parquet(HERE / "alphalens_factor.parquet")


if __name__ == "__main__":
    for make in (of_pandas, of_openpyxl, of_bt, of_pyfolio, of_alphalens):
        make()
        print(make.__name__)
