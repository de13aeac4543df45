"""What can go wrong with a recording, as one tree.

    RecordingsError
    ├── SealedError            the sealed bytes are not what they must be
    │   ├── HeaderInvalid      the age header breaks the grammar or a rule of a stanza
    │   ├── HeaderForged       the header's MAC does not fit
    │   ├── NoMatch            none of our keys opens it
    │   └── PayloadInvalid     altered, cut off, or lengthened
    ├── KeysError
    │   ├── KeyMissing         no key of that name in the keyring
    │   ├── KeyDestroyed       there was one, and it was destroyed
    │   ├── KeyInvalid         the key's text or file cannot be used
    │   ├── KeyringLocked      the keyring cannot be opened here and now
    │   └── PassphraseWrong    the keyring's passphrase is another
    ├── CustodyError           two people have to agree about a key
    │   ├── ActUnknown         no such act, or not in this state
    │   ├── SameCustodian      one person cannot be both
    │   └── ActExpired         a day has passed
    ├── StoreError
    │   ├── ObjectExists       put-if-absent found something there
    │   ├── ObjectMissing
    │   ├── ObjectUnreadable   it is there, and its bytes are not given
    │   └── BackupInvalid      no backup, or not as it was made
    ├── CaptureError           one finished WAV could not be sealed; `what` names why
    ├── GrantError
    │   ├── RequestInvalid     unknown, already decided, or asked for wrongly
    │   ├── SelfAuthorisation  requester and authoriser are one person
    │   ├── NotGranted         this person has no yes for this recording
    │   ├── GrantExpired       the yes is over
    │   ├── GrantEnded         the yes was taken back or given up
    │   ├── GrantUsedUp        every play that was granted has begun
    │   └── PlayOver           this play has had its time; the yes may hold another
    ├── PlaybackError
    │   ├── EvidenceAltered    catalogue, store and log disagree: nothing is played
    │   ├── WrongKey           the keyring's key of that month is another than it was sealed to
    │   ├── Destroyed          its time was over, and nothing opens it any more
    │   └── RangeInvalid       the asked range does not exist (HTTP 416)
    ├── RetentionError
    │   ├── NotYet             by the rows, the key, or the plan's standing it is not time
    │   ├── PlanInvalid        no such plan, or it is not at that step
    │   ├── SamePerson         two different persons are needed
    │   └── HoldInvalid        a hold that cannot be placed or lifted so
    └── AuditError
        ├── CheckpointInvalid  a signed note that cannot be trusted
        ├── CheckpointRolledBack  the log does not follow from what was signed before
        ├── LogKeyMissing      the key that signs the log is not where it was
        ├── PlaceFailed        a checkpoint could not be brought to a place outside
        ├── ProofInvalid       a proof that does not prove
        └── LineUnknown

Every message is Chinese first, English beside it, and says what to do where something can be
done.  No message carries key material, a caller's number or a name.
"""


class RecordingsError(Exception):
    """Root of everything this room raises on purpose."""


class SealedError(RecordingsError):
    """The sealed bytes are not what the age v1 specification asks for."""


class HeaderInvalid(SealedError):
    """The header cannot be used: grammar, version, or a malformed X25519 stanza."""


class HeaderForged(SealedError):
    """The header's HMAC does not match: the header was altered after sealing."""


class NoMatch(SealedError):
    """None of the given identities opens the file."""


class PayloadInvalid(SealedError):
    """A chunk does not authenticate, or the final chunk is missing or misplaced."""


class KeysError(RecordingsError):
    """Something about a key or the keyring."""


class KeyMissing(KeysError):
    """The keyring has no key of that name."""


class KeyInvalid(KeysError):
    """A key's text or file is malformed or its file's rights are too wide."""


class KeyDestroyed(KeysError):
    """The key was destroyed on purpose; nothing brings it back."""


class KeyringLocked(KeysError):
    """No passphrase was given, or who keeps the keys does not answer or does not know us."""


class PassphraseWrong(KeysError):
    """The keyring does not open with this passphrase; nothing was changed."""


class CustodyError(RecordingsError):
    """Something about asking, confirming or doing what two custodians decide."""


class ActUnknown(CustodyError):
    """There is no such act, or it is not in the state for this step."""


class SameCustodian(CustodyError):
    """The second step needs somebody else than the first."""


class ActExpired(CustodyError):
    """The day within which an act is confirmed and done is over."""


class StoreError(RecordingsError):
    """Something about the object store."""


class ObjectExists(StoreError):
    """Put-if-absent found an object under that name; nothing was changed."""


class ObjectMissing(StoreError):
    """There is no object under that name."""


class ObjectUnreadable(StoreError):
    """The store has the object, and its disk or network does not give the bytes."""


class BackupInvalid(StoreError):
    """There is no finished backup, or its manifest and catalogue are not as they were made."""


class CaptureError(RecordingsError):
    """One WAV could not be sealed now; it stays where it is.  `what` is one of tables.TROUBLES."""

    def __init__(self, what: str, message: str) -> None:
        super().__init__(message)
        self.what = what


class GrantError(RecordingsError):
    """Something about asking, deciding or using a permission to listen."""


class RequestInvalid(GrantError):
    """The request is unknown, already decided, or lacks what DOMAIN.md asks for."""


class SelfAuthorisation(GrantError):
    """The authoriser is the requester (DOMAIN.md, People: never their own)."""


class NotGranted(GrantError):
    """This person holds no grant for this recording."""


class GrantExpired(GrantError):
    """There was a grant, and its time is over."""


class GrantEnded(GrantError):
    """There was a grant, and somebody ended it before its time."""


class GrantUsedUp(GrantError):
    """As many plays have begun as were granted."""


class PlayOver(GrantError):
    """A play lasts some hours; whoever comes back later begins another."""


class PlaybackError(RecordingsError):
    """A recording that cannot be played."""


class EvidenceAltered(PlaybackError):
    """Catalogue, store and log disagree; no byte is served."""


class WrongKey(PlaybackError):
    """The evidence is as it was catalogued, and the private key of that name does not open it."""


class Destroyed(PlaybackError):
    """Destroyed on time; the certificate says when and by whose word."""


class RangeInvalid(PlaybackError):
    """The asked range lies outside the recording (RFC 9110 section 15.5.17, status 416)."""


class RetentionError(RecordingsError):
    """Something about keeping or destroying."""


class NotYet(RetentionError):
    """It is not time: by the rows, by the key, or because the plan has not stood long enough."""


class PlanInvalid(RetentionError):
    """There is no such plan, or it is not at that step."""


class SamePerson(RetentionError):
    """Two different persons have to agree, or to place and to lift."""


class HoldInvalid(RetentionError):
    """A hold that cannot be placed or lifted as asked."""


class AuditError(RecordingsError):
    """Something about the log."""


class CheckpointInvalid(AuditError):
    """A checkpoint that is malformed, of another log, or not signed by a known key."""


class CheckpointRolledBack(AuditError):
    """The log as it stands does not follow from a checkpoint signed before; nothing was signed."""


class LogKeyMissing(AuditError):
    """The key that signs the log's checkpoints was made once, and is gone or damaged."""


class PlaceFailed(AuditError):
    """A place for checkpoints could not be reached, or did not take one."""


class ProofInvalid(AuditError):
    """A proof that is malformed, or does not lead to the signed root."""


class LineUnknown(AuditError):
    """The log has no line of that number."""
