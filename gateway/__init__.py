"""The 12333 hotline gateway: where telephony, queueing and recordings meet tickets and people.

A call's way, one walk, no going back:
    telephony (line → wire → journal → events → call → board) → flow.intake → tickets
    → queueing (outbox → relay → broker) … (broker → inbox) → flow.orders → tickets
    → notices → console.live
A recording's way:
    recordings (capture → sealed → store → catalogue) → flow.linking
    … grants → audit → playback → sending → console.player, api
`compose` puts the parts together, `serve` runs them, `cli` is the command `hotline`.
Down only: cli > compose > console, api > flow > tickets, people, tables > database > the leaves.
"""
