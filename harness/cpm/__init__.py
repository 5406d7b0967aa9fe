"""What all services share: feature tags, identities, profiles (OMA CPM 2.0, GSMA RCS 5.1)."""
