"""Tickets (工单): the record of one matter, its states, its words, its numbers and its clocks."""
