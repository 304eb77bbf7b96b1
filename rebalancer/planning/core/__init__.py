"""The numeric rules of planning: one text of scalar loops on columns, interpreted live and compiled in research.

    codes      what was decided, as numbers
    columns    what goes in and what comes out: one column per fact, all names in symbol order
    units      exact arithmetic of money, prices and quantities in integers
    size       opinions to signed fractions of capital
    project    all names onto all caps together
    construct  target weights: restrictions, and who gets headroom first
    cost_band  how far off a name must be to be worth its trading cost
    trades     target weights to whole lots, and whether they are worth trading
    usage      what is used of every cap
    phases     reductions first, largest drift first; what an exceeded cap needs besides
    fund       increases cut to headroom, orders and buying power
    decide     the whole step

Floats propose weights; from then on everything is an integer and exact. Only + - * / and sums in a fixed order are
used: no function of a mathematics library, no reductions over arrays. So every machine gives the same bits, with a
compiler and without one. A signed quantity never meets // or %: magnitudes do.

`planning.to_columns` and `planning.from_columns` are the border: they refuse what would leave 63 bits or divide by
zero, since compiled integers wrap where Python's grow. The texts name no other package, so that a compiled copy of them
can be made (`research.compiled`).
"""
