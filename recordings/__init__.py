"""录音：finished WAV in, sealed evidence kept, and heard only by grant.

One walk in, one walk out (DESIGN.md section 2):

    capture → sealed (public key) → store → catalogue
    grants → audit → playback → sealed (private key)

Nothing here imports the other rooms of the house; time, randomness, disk and transactions
come in as arguments.  What a sealed recording is, byte by byte, stands in FORMAT.md.
"""
