"""Event notification and REFER on the SIP agent."""
