"""Why an agent's phone is paused in its queues, as the PBX keeps it (`PausedReason`).

Codes are what AMI's QueuePause carries and QueueMemberPause tells; people are shown the words of
their language. A paused member with a reason not listed here was paused by somebody else, at the
PBX itself: it counts as a break, and its text is shown as it stands. Pure data.
"""

from typing import Final

WRAP_UP: Final = "wrapup"
"""话后整理: writing up the call just ended; ends by itself or by the agent."""

BREAKS: Final = ("break", "meal", "meeting", "training", "other")
"""小休 and its reasons: a short rest, a meal, a meeting, training, anything else."""
