"""A cluster: the methods on MPI ranks, rank 0 serving (``mpiexec -n P python script.py``).

Needs mpi4py (``pip install 'asysg[mpi]'``), which is imported when `minimize` is called,
or at once where a launcher has started this process: from then on an exception that nobody catches
on one rank ends the job (`_presence`).
"""

from ._minimize import minimize
from ._presence import guard_if_launched

guard_if_launched()

__all__ = ["minimize"]
