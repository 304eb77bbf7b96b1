"""Charts as inline SVG, drawn by hand: no script, no library, no picture file.

    scale.py    round ticks of values, each with a label of its own
    axis.py     days, the hours of the market and names, with labels that never touch
    records.py  what a drawn chart is: panels of paths, ticks, a key, and the table of its data
    lines.py    lines and areas over time, stacks, marks on a line, sparklines
    bars.py     columns, histograms, waterfalls, rows by name
    points.py   scatter plots
    grids.py    heat maps
    markup.py   a chart as HTML (`templates/charts.css.j2` is its style)

Pure: values in, geometry and texts out. All places are in percent of the picture, all texts are HTML beside it. Every
chart carries a table of the same data; too little data gives `NoChart`, which says what is missing.
"""
