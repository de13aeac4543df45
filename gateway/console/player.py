"""The player's bytes: what the page asks for, handed to `sending` in the visitor's name."""

from starlette.responses import JSONResponse, Response

from gateway import sending
from gateway.console.visit import Visit, play_asked
from gateway.sending import Asking


def audio(visit: Visit) -> Response:
    """GET and HEAD /recordings/{recording_id}/audio?play=…"""
    return sending.audio(asking(visit), visit.number("recording_id"), play_asked(visit))


def outline(visit: Visit) -> Response:
    """GET /recordings/{recording_id}/peaks?play=…: the waveform, for who may hear it now."""
    channels = sending.outline(visit.parts, visit.person, visit.number("recording_id"),
                               play_asked(visit), origin=visit.origin,
                               now=visit.now)  # fmt: skip
    return JSONResponse({"channels": channels}, headers={"Cache-Control": "no-store"})


def asking(visit: Visit) -> Asking:
    """The visit as whoever sends bytes takes it."""
    return Asking(visit.request, visit.parts, visit.person, visit.origin, visit.now)
