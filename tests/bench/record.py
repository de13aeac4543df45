"""Keeps what a PBX says that leaves nothing out: `python -m tests.bench.record`.

The account of the shipped manager.conf is spared most of it (`eventfilter`). Here a second account
with every right to read listens to the same kinds of call, so that the bench can tell what a
gateway costs on a PBX whose manager.conf is not ours: about 90 events a call in place of 23.
"""

import time
from pathlib import Path

from tests.rig.asterisk import Pbx, asterisk
from tests.rig.record import Ear

TRACES = Path(__file__).resolve().parent / "traces"
ACCOUNT = "\n[everything]\nsecret = {secret}\nread = all\nwrite = reporting\n"


def everything(pbx: Pbx) -> Ear:
    """An ear that is told all there is."""
    conf = pbx.directory / "etc" / "manager.conf"
    with conf.open("a", encoding="utf-8") as file:
        file.write(ACCOUNT.format(secret=pbx.secret))
    pbx.cli("manager reload")
    return Ear(pbx, "everything")


def main() -> None:
    """One call answered and one given up, on one PBX."""
    TRACES.mkdir(exist_ok=True)
    with asterisk() as pbx:
        ear = everything(pbx)
        for name, phones in (("answered", "answer"), ("abandoned", "ring")):
            pbx.phones(phones)  # type: ignore[arg-type] # the two words are of that type
            time.sleep(1)
            ear.hear()
            pbx.place_calls(1, 1, 3000)
            time.sleep(1)
            (TRACES / f"{name}.ami").write_bytes(ear.hear())
        ear.close()


if __name__ == "__main__":
    main()
