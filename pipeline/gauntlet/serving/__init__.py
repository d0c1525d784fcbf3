"""This package provides the server for the champion: MLflow's scoring protocol over HTTP, with low latency.

A request meets, in this order: ``access`` (token, log), ``application`` (routes), ``invocations`` (limits),
``served_model`` (the promoted version, verified), ``scoring`` (what is answered or refused), and there either
``quick_answers``, by ``batches`` of what arrives at once, or MLflow's own way. ``champion_watch`` puts another version
in the place of the served one, and ``server`` runs it all until it is told to stop.
"""
