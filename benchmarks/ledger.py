"""The ledger: posting, settling, balances, verifying and statements, each beside its limit in the same run.

Everything happens in databases of its own on the store's PostgreSQL, with fsync and synchronous_commit on. Clients are
processes, as workers are. The limit of posting is plain psycopg doing the same inserts, one durable transaction each,
into tables that check nothing; django-hordak posts the same legs where it happens to be installed. Balances are asked
for at two and a half million entries; sealing, verifying and the month's statements take a million sales, and their
limits are scaled to the size that is run.
"""

from benchmarks.figures import Figure, Progress

SECONDS, QUICK_SECONDS = 5.0, 1.0
TIMES, QUICK_TIMES = 5, 3
ORDERS, QUICK_ORDERS = 40_000, 6_000  # more than can be settled in the time


def run(*, quick: bool, say: Progress) -> list[Figure]:
    from benchmarks.audit_chain import own_database  # late, as all that needs Django
    from benchmarks.books import clients, made_up, posting, reading, settling

    seconds, times = (QUICK_SECONDS, QUICK_TIMES) if quick else (SECONDS, TIMES)
    say("making a database of its own")
    with own_database():
        posting.lay_out()
        settling.lay_out(QUICK_ORDERS if quick else ORDERS)
        with clients.clients(max(posting.CLIENTS)) as workers:
            figures = posting.figures(say, workers, seconds=seconds, times=times)
            figures += settling.figures(say, workers, seconds=seconds, times=times)
    say("making another")
    with own_database():
        figures += reading.figures(say, made_up.QUICK if quick else made_up.FULL)
    return figures
