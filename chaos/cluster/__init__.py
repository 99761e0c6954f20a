"""Campaigns against several workers: two Asterisk servers, PostgreSQL and Redis, all of them
processes of the campaign's own, and everything that can happen to them and between them."""
