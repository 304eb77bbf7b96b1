"""Many backtests: a grid of settings, or settings proposed by a search, each computed once.

    grid_file      the file of a sweep: what is run, and which values each key takes
    points         a setting, its identity, and the small file of its result
    compute        one point in a worker
    workers        processes on this machine, or Dask workers on several
    run            what is missing is computed; results as they come
    search         points proposed by Optuna
    summary, page  ranking, document and heat map

A point is known by the hash of its configuration, its data and the program's code. Its result is one file written under
another name, synced and renamed. So a killed worker, a run on another day and a run on another machine are one case.
"""
