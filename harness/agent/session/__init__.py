"""SIP sessions: the INVITE usage of dialogs, from either end."""
