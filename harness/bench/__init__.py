"""What a gateway, the judging and a whole run cost, each as a ratio to something measured in the same run.

`python -m harness.bench.vendor`, `.relay` and `.load` are processes of their own, so that each has its own clock of CPU time;
the figures are only as good as the load generator, which therefore says how busy it was.
"""
