"""What a run must survive, tried out again and again: Ctrl-C, fork, kill.

``python -m tests.trials ctrl-c|fork|kill|all [--trials N] [--seed S] [--json]`` from the root of
the repository. Every trial runs in a process of its own or in one made for trials, so that
nothing leaks into whoever asks. Times are reported, never judged.
"""
