"""Codes of venues and conditions, as the consolidated tapes publish them."""

from __future__ import annotations

from typing import Final

from rebalancer.exchange.data_parameters import word
from rebalancer.exchange.errors import bad_parameter
from rebalancer.exchange.parameters import Parameters

VENUES: Final = {
    "A": "NYSE American (AMEX)",
    "B": "NASDAQ OMX BX",
    "C": "National Stock Exchange",
    "D": "FINRA ADF",
    "E": "Market Independent",
    "H": "MIAX",
    "I": "International Securities Exchange",
    "J": "Cboe EDGA",
    "K": "Cboe EDGX",
    "L": "Long Term Stock Exchange",
    "M": "Chicago Stock Exchange",
    "N": "New York Stock Exchange",
    "P": "NYSE Arca",
    "Q": "NASDAQ OMX",
    "S": "NASDAQ Small Cap",
    "T": "NASDAQ Int",
    "U": "Members Exchange",
    "V": "IEX",
    "W": "CBOE",
    "X": "NASDAQ OMX PSX",
    "Y": "Cboe BYX",
    "Z": "Cboe BZ",
}
_TRADES: Final = {
    "C": "Cash Trade (Same Day Clearing)",
    "I": "Odd Lot Trade",
    "L": "Sold Last (Late Reporting)",
    "M": "Market Center Official Close",
    "N": "Next Day Trade (Next Day Clearing)",
    "O": "Market Center Opening Trade",
    "P": "Prior Reference Price",
    "Q": "Market Center Official Open",
    "R": "Seller",
    "T": "Extended Hours Trade",
    "U": "Extended Hours Sold (Out Of Sequence)",
    "V": "Contingent Trade",
    "X": "Cross Trade",
    "Z": "Sold (Out Of Sequence)",
    "4": "Derivatively Priced",
    "5": "Market Center Reopening Trade",
    "6": "Market Center Closing Trade",
    "7": "Qualified Contingent Trade",
    "9": "Corrected Consolidated Close Price as per Listing Market",
}
_TRADES_ON: Final = {
    "A": {" ": "Regular Sale", "B": "Average Price Trade", "E": "Automatic Execution", "F": "Inter-market Sweep Order",
          "H": "Price Variation Trade"},
    "C": {"@": "Regular Sale", "F": "Intermarket Sweep", "W": "Average Price Trade", "H": "Price Variation Trade"},
}  # fmt: skip
_QUOTES_ON: Final = {
    "A": {"A": "Slow Quote Offer Side", "B": "Slow Quote Bid Side", "C": "Closing",
          "H": "Slow Quote Bid And Offer Side", "L": "Market Maker Quotes Closed", "N": "Non Firm Quote",
          "O": "Opening Quote", "R": "Regular Market Maker Open", "4": "On Demand Intra Day Auction"},
    "C": {"A": "Manual Ask Automated Bid", "B": "Manual Bid Automated Ask", "F": "Fast Trading",
          "H": "Manual Bid And Ask", "I": "Order Imbalance", "L": "Closed Quote", "N": "Non Firm Quote",
          "O": "Opening Quote Automated", "R": "Regular Two Sided Open", "U": "Manual Bid And Ask Non Firm",
          "X": "Order Influx", "Y": "No Offer No Bid One Sided Open", "Z": "No Open No Resume",
          "4": "On Demand Intra Day Auction"},
}  # fmt: skip


def conditions(kind: str, parameters: Parameters) -> dict[str, str]:
    """The conditions of a `trade` or `quote` on a tape: A and B share theirs, C has its own. Raises ApiError 400."""
    if not parameters.get("tape"):
        raise bad_parameter("tape is required")
    tape = "C" if word(parameters, "tape", ("A", "B", "C")) == "C" else "A"
    if kind not in ("trade", "quote"):
        raise bad_parameter(f"invalid type: {kind[:20]}")
    return {**_TRADES, **_TRADES_ON[tape]} if kind == "trade" else dict(_QUOTES_ON[tape])
