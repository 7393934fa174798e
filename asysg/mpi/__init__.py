"""A cluster: the methods on MPI ranks, rank 0 serving (``mpiexec -n P python script.py``).

Needs mpi4py (``pip install 'asysg[mpi]'``), which is imported when `minimize` is called.
"""

from ._minimize import minimize

__all__ = ["minimize"]
