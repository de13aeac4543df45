"""Work orders out to the departments and their replies back, each with effect exactly once.

    put (in the caller's transaction) → outbox → relay → transport → department
    department → transport → inbox → handler (in one transaction) → ack

`transport` is a contract with two makers: `broker` (RabbitMQ) and `embedded` (the database alone).
Delivery is at least once on every hop; each hop has a key by which the next one knows a
repetition. What cannot be routed, read or applied is parked with its reason and can be replayed:
never dropped.
"""
