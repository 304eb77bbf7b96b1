"""Research: the rules of planning at speed, over history. It stands beside trading and is never imported by it.

    compiled       a compiled copy of the numeric core, bit-equal to the interpreted one (extra `fast`)
    market         what a backtest is given and what it gives back
    simulate       the rules over history, with fills and costs
    engine         its loop, written like the core

It imports planning and core. Nothing that trades imports it, and so nothing that trades ever loads a compiler.
"""
