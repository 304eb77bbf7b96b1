"""The market's regime, by rules: BULL, CHOP, BEAR or CRISIS at the end of every session.

    measure_sessions   SessionMeasures   trend, volatility, breadth and drawdown, from closes up to each session
    next_regime        Regime            one session further: levels in and out, minimum stay, ageing without data
    next_steps         NextStep          what would have to move for another regime

Pure: no clock, no files. It imports `core` alone; trading, backtests and reports use the same functions.
"""
