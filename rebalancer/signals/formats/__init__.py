"""The formats in which signals and target weights arrive, one module each.

    read_file.py         which format a file has; everything else is called from here
    grid.py, csv_grid.py, excel_grid.py, parquet_grid.py      rows and columns, however they were saved
    cells.py             numbers, dates and symbols, as spreadsheets write them
    recognise.py         what the columns of a grid mean; two meanings are refused with both
    targets.py, wide.py, alphalens.py, numerai.py             grids
    documents.py, tradingview.py, portfolio.py                JSON and text
    mapping.py, json_path.py                                  any other JSON, by the user's own mapping

pandas, pyarrow and openpyxl are imported where a file needs them, and nowhere else.
"""
