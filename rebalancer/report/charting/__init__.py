"""Charts as inline SVG, drawn by hand: scales with round ticks (`scale.py`), and lines on them
(`report/period/charts.py`).

Pure: values in, geometry and texts out. All places are in percent of the picture, all texts are HTML beside it.
"""
