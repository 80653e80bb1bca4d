"""A stand-in for Stripe: its HTTP for just the calls we make, for an instance that has no keys of its own.

It is a program of its own (`python -m payments.sandbox`) that shares nothing with the store but HTTP, knows its
parameters from the annotations inside Stripe's own library, and refuses what they do not know. No real money moves.
"""
