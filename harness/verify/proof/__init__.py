"""The proof of the verifier: conformant flows that no rule reports, and for each rule flows that break it."""
