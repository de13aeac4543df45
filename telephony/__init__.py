"""AMI bytes in, facts about calls out.

The data's way: `line` (the link; `client`, its socket) → `wire` (bytes to messages) → `journal`
(kept before it is understood) → `events` (typed) → `call` (one call as the caller lives it) →
`board` (rows and facts, all in the caller's transaction). What the link missed is made good by
`resync` (a snapshot of channels) and `backfill` (the PBX's own log, read by `cel`); `simulator` is
a PBX for demonstrations. This leaf imports nothing else of ours.
"""
